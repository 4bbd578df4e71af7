# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A guest with systemd, entered over ssh, so that commands run in a login session."""

import contextlib
import pathlib
import shlex
import socket
import subprocess
import time

import image
from guest import Guest, TimedOut, local, note, programs, renamed
from image import Failure


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class SessionGuest(Guest):
    """`run` gives one command its stdout, stderr and exit status through."""

    def __init__(self, given):
        super().__init__(given)
        self.port = free_port()

    def boot(self, given):
        files = image.image(given.release, note)
        disk = None if given.bare else self.programs_disk()
        self.deadline = time.monotonic() + self.timeout
        self.power_on(given, files, disk)
        if disk:
            self.install()
        for pair in given.put:
            self.put(*pair.split(":", 1))

    def power_on(self, given, files, disk):
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{host}-:{guest}" for host, guest in (pair.split(":", 1) for pair in given.forward))
        more = [
            "-accel", f"tcg,thread={'single' if given.in_turns else 'multi'}", "-smp", "2",
            "-netdev", f"user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22{forwards}",
            "-device", "virtio-net-pci,netdev=n0",
        ]
        if disk:
            more += ["-drive", f"file={disk},if=virtio,format=raw,readonly=on"]
        words = f"systemd.show_status=0 {given.append}"
        self.start(given, files, words, more)
        try:
            self.wait_until_up()
        except Failure:
            if self.runs() or not self.tripped():
                raise
            note("the emulator let the kernel run into a breakpoint of its own while booting (\"Oops: int3\"); starting once more")
            self.start(given, files, words, more)
            self.wait_until_up()

    def tripped(self):
        """Whether the kernel met a breakpoint that it had set and taken away again. It patches itself by such, and QEMU 7.2's TCG may
        show a processor the older code: seen on 7.3.4, once in some hundred boots, at 2.7 s, and on 6.12 while programs were attached
        ("RIP: bpf_lsm_inode_unlink+0x5"), for which there is --in-turns. May go with a QEMU that does not."""
        return self.console.exists() and "Oops: int3" in self.console.read_text(errors="replace")

    def programs_disk(self):
        """The built programs as a small disk of their own, so that a rebuild never rebuilds the image."""
        tree, disk = self.directory / "programs", self.directory / "programs.img"
        programs(tree)
        # mke2fs tells of a file that it has to make itself, even when it is told to be quiet.
        disk.touch()
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", str(tree), str(disk), "256M"], check=True, stdin=subprocess.DEVNULL)
        return disk

    def ssh(self):
        return ["ssh", "-p", str(self.port), "-i", str(image.CACHE / "guest_key"), "-o", "StrictHostKeyChecking=no",
                "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=20", "-o", "BatchMode=yes",
                "-o", f"ControlPath={self.directory}/mux", "-o", "ControlMaster=auto", "-o", "ControlPersist=600", "root@127.0.0.1"]

    def quiet(self, line, timeout=60):
        """A command of the runner's own."""
        return subprocess.run([*self.ssh(), line], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=min(timeout, self.left()))

    def wait_until_up(self):
        state = ""
        while True:
            self.left()
            self.must_run("booting")
            try:
                reply = self.quiet("systemctl is-system-running --wait; grep -o 'session-[^/]*scope' /proc/self/cgroup", 40)
                state = reply.stdout
            except subprocess.TimeoutExpired:
                continue
            if reply.returncode == 0 and state.split()[0] in ("running", "degraded"):
                return
            if "maintenance" in state or "emergency" in state:
                raise Failure(f"the guest came up in {state.strip()!r}")
            if state.split()[:1] in (["running"], ["degraded"]):
                raise Failure("the guest's commands do not run in a login session (pam_systemd)")
            time.sleep(0.3)

    def install(self):
        line = "mkdir -p /run/bartizan-src && mount -o ro /dev/vdb /run/bartizan-src && /run/bartizan-src/scripts/install --from /run/bartizan-src"
        done = self.quiet(line, 300)
        if done.returncode != 0:
            raise Failure(f"scripts/install failed in the guest with {done.returncode}:\n{done.stdout}{done.stderr}")

    def put(self, source, target):
        near, far = local(source), pathlib.PurePosixPath(target)
        if not near.exists():
            raise Failure(f"--put: {near} does not exist")
        parent = shlex.quote(str(far.parent))
        self.copy(["tar", "-C", str(near.parent), *renamed(near.name, far.name), "-cf", "-", near.name],
                  [*self.ssh(), f"mkdir -p {parent} && tar -C {parent} -xpf -"], f"{source} to {target}")

    def get(self, source, target):
        far, near = pathlib.PurePosixPath(source), local(target)
        near.parent.mkdir(parents=True, exist_ok=True)
        self.copy([*self.ssh(), f"tar -C {shlex.quote(str(far.parent))} -cf - {shlex.quote(far.name)}"],
                  ["tar", "-C", str(near.parent), *renamed(far.name, near.name), "-xpf", "-"], f"{source} to {target}")

    def copy(self, pack, unpack, what):
        """Copies by tar, which keeps modes."""
        with subprocess.Popen(pack, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as sender:
            received = subprocess.run(unpack, stdin=sender.stdout, timeout=self.left())
        if sender.returncode or received.returncode:
            raise Failure(f"copying {what} failed")

    def run(self, command):
        # ssh itself reports 255 for its own failures.
        try:
            done = subprocess.run([*self.ssh(), shlex.join(command)], stdin=subprocess.DEVNULL, timeout=self.left())
        except subprocess.TimeoutExpired as late:
            raise TimedOut from late
        if done.returncode == 255:
            self.must_run("the command ran")
        return done.returncode

    def fetch(self, pairs):
        """Gets the pairs, whatever became of the command, and returns what could not be had."""
        if not self.runs() or self.deadline is None:
            return [f"{pair}: the guest does not run" for pair in pairs]
        self.deadline = max(self.deadline, time.monotonic() + 60)
        failed = []
        for pair in pairs:
            try:
                self.get(*pair.split(":", 1))
            except (Failure, TimedOut, subprocess.SubprocessError) as failure:
                failed.append(f"{pair}: {failure}")
        return failed

    def entrance(self):
        return shlex.join(self.ssh())
