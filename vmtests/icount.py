# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A guest for counting instructions: one virtual nanosecond is one guest instruction. One processor, no systemd, no ssh.

A tar archive as second disk carries the command and --put's files in; virtio serial ports carry everything out."""

import io
import os
import pathlib
import shlex
import subprocess
import sys
import tarfile
import time

import image
from guest import ROOT, Guest, local, note, programs, renamed
from image import Failure

INIT = ROOT / "vmtests/icount-init.sh"
# The kernel hands what follows `--` to init. The initrd reads single words of this line too: `ro` would mean the root.
APPEND = 'init=/bin/sh -- -c "tar -C / -xpf /dev/vdb && exec sh /job/init"'


class IcountGuest(Guest):
    """`run` gives one command its stdout, stderr and exit status through."""

    def __init__(self, given):
        super().__init__(given)
        self.given = given
        self.failed = None  # --get's failures, known when the command has ended

    def boot(self, given):
        """Nothing yet: the command boots with the guest."""
        self.files = image.image(given.release, note)

    def run(self, command):
        disk = self.job(command)
        self.deadline = time.monotonic() + self.timeout
        names = ["stdout", "stderr", "status", *(f"get{index}" for index in range(len(self.given.get)))]
        ports = ["-device", "virtio-serial-pci"]
        for name in names:
            ports += ["-chardev", f"file,id={name},path={self.directory}/{name}",
                      "-device", f"virtserialport,chardev={name},name={name}"]
        self.start(self.given, self.files, f"{APPEND} {self.given.append}", [
            "-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-smp", "1", "-nic", "none",
            "-drive", f"file={disk},if=virtio,format=raw,readonly=on", *ports,
        ])
        return self.follow()

    def job(self, command):
        """The second disk: /job and --put's files as one archive over the guest's root."""
        disk = self.directory / "job.tar"
        gets = "".join(f"get {index} {shlex.quote(pair.split(':', 1)[0])}\n" for index, pair in enumerate(self.given.get))
        with tarfile.open(disk, "w") as archive:
            archive.add(INIT, "job/init")
            for name, text in (("command", shlex.join(command) + "\n"), ("gets", gets)):
                entry = tarfile.TarInfo(f"job/{name}")
                entry.size = len(text.encode())
                archive.addfile(entry, io.BytesIO(text.encode()))
            if not self.given.bare:
                programs(self.directory / "programs")
                archive.add(self.directory / "programs", "job/programs")
            for pair in self.given.put:
                source, target = pair.split(":", 1)
                if not local(source).exists():
                    raise Failure(f"--put: {local(source)} does not exist")
                archive.add(local(source), str(pathlib.PurePosixPath("/root") / target).lstrip("/"))
        return disk

    def follow(self):
        """Passes the output on as it comes, until the guest has told the exit status."""
        outputs = [Output(self.directory / "stdout", sys.stdout), Output(self.directory / "stderr", sys.stderr)]
        status = self.directory / "status"
        while not (status.exists() and status.read_text().endswith("end\n")):
            self.left()
            self.must_run("the command ran, or before it")
            time.sleep(0.05)
            for output in outputs:
                output.pump()
        # QEMU empties its queues before it ends, so everything is in the files afterwards.
        self.stop()
        for output in outputs:
            output.pump()
        words = status.read_text().split()
        self.failed = {int(index) for index in words[1:-1]}
        if words[0] == "install":
            raise Failure("scripts/install failed in the guest")
        return int(words[0])

    def fetch(self, pairs):
        """Unpacks what the guest sent of the pairs, and returns what could not be had."""
        return [failure for index, pair in enumerate(pairs) if (failure := self.unpack(index, pair))]

    def unpack(self, index, pair):
        if self.failed is None:
            return f"{pair}: the command did not end"
        source, target = pair.split(":", 1)
        near = local(target)
        near.parent.mkdir(parents=True, exist_ok=True)
        name = pathlib.PurePosixPath(source).name
        unpack = ["tar", "-C", str(near.parent), *renamed(name, near.name), "-xpf", str(self.directory / f"get{index}")]
        if index in self.failed or subprocess.run(unpack, stdin=subprocess.DEVNULL).returncode != 0:
            return f"{pair}: copying {source} to {target} failed"
        return None


class Output:
    """A port's file and the stream of ours that it is passed to."""

    def __init__(self, path, stream):
        self.file = open(path, "rb") if path.exists() else None
        self.path = path
        self.stream = stream.fileno()

    def pump(self):
        if self.file is None and self.path.exists():
            self.file = open(self.path, "rb")
        while self.file and (chunk := self.file.read(1 << 16)):
            while chunk:
                chunk = chunk[os.write(self.stream, chunk):]
