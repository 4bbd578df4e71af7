# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What every guest of scripts/vm has: a directory of its own, a QEMU process, a console log and a time limit."""

import fcntl
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import image
from image import Failure

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILT = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug"
# la57=off saves a level of each page walk.
CPU = "max,la57=off"


class TimedOut(Exception):
    """--timeout ran out."""


def note(text):
    print(f"vm: {text}", file=sys.stderr, flush=True)


def programs(tree):
    """Fills `tree` with the built programs as scripts/install --from wants them."""
    BUILT.mkdir(parents=True, exist_ok=True)
    # Runners beside this one may build with another guard compiled out: what is copied is what was built here.
    with open(BUILT / ".runner.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = subprocess.run(["cargo", "build", "-q", "-p", "bartizan-supervisor"], cwd=ROOT, stdin=subprocess.DEVNULL)
        if built.returncode != 0:
            raise Failure("Bartizan does not build, see above (--bare runs a guest without it)")
        subprocess.run([ROOT / "scripts/stage", tree], check=True, stdin=subprocess.DEVNULL)


def local(path):
    """The absolute path of --put's or --get's near side."""
    return pathlib.Path(path).absolute()


def renamed(old, new):
    """tar's option that gives the archive's top entry another name; targets of symbolic links stay as they are."""
    old = re.sub(r"([\\.*\[\]^$,])", r"\\\1", old)
    new = re.sub(r"([\\&,])", r"\\\1", new)
    return ["--transform", f"s,^{old},{new},S"]


class Guest:
    """A QEMU process that boots one kernel on a throw-away snapshot of an image."""

    def __init__(self, given):
        self.timeout = given.timeout
        self.deadline = None
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="bartizan-vm."))
        self.console = self.directory / "console.log"
        self.process = None
        # A disk that outlives the process, for a guest that boots more than once.
        self.disk = None

    def start(self, given, files, append, more):
        """Starts QEMU with the arguments `more` beside those that all guests share; `append` is for the kernel."""
        root = f"file={self.disk}" if self.disk else f"file={files}/root.img,snapshot=on"
        command = [
            "qemu-system-x86_64", "-cpu", ",".join([CPU, *image.matrix()["kernel"][given.kernel].get("cpu", [])]), "-m", "2G",
            "-nographic", "-no-reboot", "-monitor", "none", "-serial", f"file:{self.console}",
            "-kernel", str(files / f"vmlinuz-{given.kernel}"), "-initrd", str(files / f"initrd-{given.kernel}"),
            # no_timer_check: where other guests take the processor at the wrong moment, 6.12 counts too few ticks of the emulated
            # timer and panics with "IO-APIC + timer doesn't work!" (once in some hundred boots). For as long as guests are emulated.
            "-append", f"root=/dev/vda rw console=ttyS0 quiet panic=-1 net.ifnames=0 no_timer_check {append}",
            "-drive", f"{root},if=virtio,format=raw,cache=unsafe",
            "-device", "virtio-rng-pci", *more,
        ]
        with open(self.directory / "qemu.log", "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def must_run(self, doing):
        if not self.runs():
            said = (self.directory / "qemu.log").read_text(errors="replace")[-500:]
            raise Failure(f"the guest stopped while {doing}\n{said}")

    def left(self):
        """Seconds until the time limit."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimedOut
        return left

    def stop(self):
        if not self.runs():
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
