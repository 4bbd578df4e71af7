# SPDX-License-Identifier: Apache-2.0 OR MIT
"""scripts/vm: one throw-away Debian guest, one command in it. Specified in the design, section 12."""

import argparse
import contextlib
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import image
from image import Failure

ROOT = pathlib.Path(__file__).resolve().parent.parent
RUNNER_FAILED = 125
TIMED_OUT = 124


class TimedOut(Exception):
    """--timeout ran out."""


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/vm", description="Runs COMMAND as root in a login session of a fresh Debian guest.")
    parser.add_argument("--kernel", default="6.12", choices=list(image.matrix()["kernel"]), help="default: 6.12")
    parser.add_argument("--release", default="bookworm", choices=list(image.matrix()["release"]), help="default: bookworm")
    parser.add_argument("--put", action="append", default=[], metavar="LOCAL:REMOTE", help="copy into the guest first (modes are kept)")
    parser.add_argument("--get", action="append", default=[], metavar="REMOTE:LOCAL", help="copy out afterwards, whatever COMMAND returned")
    parser.add_argument("--forward", action="append", default=[], metavar="HOSTPORT:GUESTPORT", help="on 127.0.0.1")
    parser.add_argument("--timeout", type=float, default=600, metavar="SECONDS", help="boot included (default 600); exit status 124")
    parser.add_argument("--bare", action="store_true", help="do not install Bartizan")
    parser.add_argument("--keep", action="store_true", help="leave the guest running and say how to enter it")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND ARG…")
    given = parser.parse_args()
    if given.command[:1] == ["--"]:
        given.command = given.command[1:]
    if not given.command:
        parser.error("a COMMAND is missing: scripts/vm [options] -- COMMAND ARG…")
    for pair in given.put + given.get + given.forward:
        if ":" not in pair:
            parser.error(f"{pair!r} needs a colon between its two sides")
    return given


def note(text):
    print(f"vm: {text}", file=sys.stderr, flush=True)


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def programs(directory):
    """The built programs as a small disk of their own, so that a rebuild never rebuilds the image."""
    built = subprocess.run(["cargo", "build", "-q", "-p", "bartizan-supervisor"], cwd=ROOT, stdin=subprocess.DEVNULL)
    if built.returncode != 0:
        raise Failure("Bartizan does not build, see above (--bare runs a guest without it)")
    tree = directory / "programs"
    (tree / "scripts").mkdir(parents=True)
    for name in ("bartizan", "bartizand"):
        shutil.copy2(ROOT / "target/debug" / name, tree / name)
    shutil.copytree(ROOT / "supervisor/dist", tree / "dist")
    shutil.copy2(ROOT / "scripts/install", tree / "scripts/install")
    disk = directory / "programs.img"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", str(tree), str(disk), "256M"], check=True, stdin=subprocess.DEVNULL)
    return disk


class Guest:
    """A running guest. `run` gives one command its stdout, stderr and exit status through."""

    def __init__(self, given):
        self.deadline = None
        self.timeout = given.timeout
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="bartizan-vm."))
        self.console = self.directory / "console.log"
        self.port = free_port()
        self.process = None
        self.keep = given.keep

    def boot(self, given):
        files = image.image(given.release, note)
        disk = None if given.bare else programs(self.directory)
        self.deadline = time.monotonic() + self.timeout
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{host}-:{guest}" for host, guest in (pair.split(":", 1) for pair in given.forward))
        # cx16=off: QEMU 7.2.22 loses the flags of cmpxchg16b, and 6.12's slab allocator jumps on them: double fault in
        # kmem_cache_alloc within seconds of booting. May go with QEMU 7.2. la57=off saves a level of each page walk.
        command = [
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max,la57=off,cx16=off", "-smp", "2", "-m", "2G",
            "-nographic", "-no-reboot", "-monitor", "none", "-serial", f"file:{self.console}",
            "-kernel", str(files / f"vmlinuz-{given.kernel}"), "-initrd", str(files / f"initrd-{given.kernel}"),
            "-append", "root=/dev/vda rw console=ttyS0 quiet panic=-1 systemd.show_status=0 net.ifnames=0",
            "-drive", f"file={files}/root.img,if=virtio,format=raw,cache=unsafe,snapshot=on",
            "-netdev", f"user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22{forwards}",
            "-device", "virtio-net-pci,netdev=n0", "-device", "virtio-rng-pci",
        ]
        if disk:
            command += ["-drive", f"file={disk},if=virtio,format=raw,readonly=on"]
        with open(self.directory / "qemu.log", "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.wait_until_up()
        if disk:
            self.install()

    def left(self):
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimedOut
        return left

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
            if self.process.poll() is not None:
                raise Failure(f"the guest stopped while booting\n{(self.directory / 'qemu.log').read_text(errors='replace')[-500:]}")
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

    def copy(self, source, target, into):
        """Copies by tar, which keeps modes; `into` says whether the guest is the target."""
        base = pathlib.PurePosixPath(target if into else source)
        there = pathlib.Path(source if into else target).absolute()
        if into:
            if not there.exists():
                raise Failure(f"--put: {there} does not exist")
            pack = ["tar", "-C", str(there.parent), "--transform", f"s,^{there.name},{base.name},", "-cf", "-", there.name]
            unpack = [*self.ssh(), f"mkdir -p {shlex.quote(str(base.parent))} && tar -C {shlex.quote(str(base.parent))} -xpf -"]
        else:
            there.parent.mkdir(parents=True, exist_ok=True)
            pack = [*self.ssh(), f"tar -C {shlex.quote(str(base.parent))} -cf - {shlex.quote(base.name)}"]
            unpack = ["tar", "-C", str(there.parent), "--transform", f"s,^{base.name},{there.name},", "-xpf", "-"]
        with subprocess.Popen(pack, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as sender:
            received = subprocess.run(unpack, stdin=sender.stdout, timeout=self.left())
        if sender.returncode or received.returncode:
            raise Failure(f"copying {source} to {target} failed")

    def run(self, command):
        line = " ".join(shlex.quote(argument) for argument in command)
        # ssh itself reports 255 for its own failures.
        try:
            done = subprocess.run([*self.ssh(), line], stdin=subprocess.DEVNULL, timeout=self.left())
        except subprocess.TimeoutExpired as late:
            raise TimedOut from late
        if done.returncode == 255 and self.process.poll() is not None:
            raise Failure("the guest stopped while the command ran")
        return done.returncode

    def stop(self):
        if not self.process or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def tail(self):
        try:
            return "\n".join(self.console.read_text(errors="replace").splitlines()[-40:])
        except OSError:
            return "(the console is empty)"


def main():
    given = arguments()
    guest = Guest(given)
    status = RUNNER_FAILED
    try:
        guest.boot(given)
        for pair in given.put:
            source, target = pair.split(":", 1)
            guest.copy(source, target, True)
        status = guest.run(given.command)
    except (TimedOut, subprocess.TimeoutExpired):
        note(f"time-out after {given.timeout:g} s; the end of the guest's console:\n{guest.tail()}")
        status = TIMED_OUT
    except (Failure, OSError, subprocess.SubprocessError) as failure:
        note(f"{failure}\nthe end of the guest's console ({guest.console}):\n{guest.tail()}")
    finally:
        status = fetch(guest, given, status)
        if given.keep and guest.process and guest.process.poll() is None:
            note(f"the guest keeps running (pid {guest.process.pid}); enter it with:\n  {shlex.join(guest.ssh())}")
        else:
            guest.stop()
            if status != RUNNER_FAILED:
                shutil.rmtree(guest.directory, ignore_errors=True)
    return status


def fetch(guest, given, status):
    if not guest.process or guest.process.poll() is not None or guest.deadline is None:
        return status
    guest.deadline = max(guest.deadline, time.monotonic() + 60)
    for pair in given.get:
        source, target = pair.split(":", 1)
        try:
            guest.copy(source, target, False)
        except (Failure, TimedOut, subprocess.SubprocessError) as failure:
            note(f"--get {pair}: {failure}")
            status = status or RUNNER_FAILED
    return status


if __name__ == "__main__":
    # A terminated runner must not leave its guest behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(RUNNER_FAILED))
    sys.exit(main())
