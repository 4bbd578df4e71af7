# SPDX-License-Identifier: Apache-2.0 OR MIT
"""scripts/vm: one throw-away Debian guest, one command in it. Specified in the design, section 12."""

import argparse
import shutil
import signal
import subprocess
import sys

import image
from guest import TimedOut, note
from icount import IcountGuest
from image import Failure
from session import SessionGuest

RUNNER_FAILED = 125
TIMED_OUT = 124


class Parser(argparse.ArgumentParser):
    """A wrong call is the runner's failure: its status must not look like the command's."""

    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(RUNNER_FAILED, f"{self.prog}: {message}\n")


def arguments():
    parser = Parser(prog="scripts/vm", description="Runs COMMAND as root in a login session of a fresh Debian guest.")
    parser.add_argument("--kernel", default="6.12", choices=list(image.matrix()["kernel"]), help="default: 6.12")
    # A release without suites is a machine of vagrant/ only.
    releases = [name for name, release in image.matrix()["release"].items() if release.get("suites")]
    parser.add_argument("--release", default="bookworm", choices=releases, help="default: bookworm")
    parser.add_argument("--put", action="append", default=[], metavar="LOCAL:REMOTE", help="copy into the guest first (modes are kept)")
    parser.add_argument("--get", action="append", default=[], metavar="REMOTE:LOCAL", help="copy out afterwards, whatever COMMAND returned")
    parser.add_argument("--forward", action="append", default=[], metavar="HOSTPORT:GUESTPORT", help="on 127.0.0.1")
    parser.add_argument("--timeout", type=float, default=600, metavar="SECONDS", help="boot included (default 600); exit status 124")
    parser.add_argument("--icount", action="store_true", help="a virtual nanosecond is an instruction; one processor, no systemd, "
                        "no login session, no network but loopback; Bartizan is installed but not started")
    parser.add_argument("--in-turns", action="store_true", help="the guest's two processors run in turns, not at the same time")
    parser.add_argument("--bare", action="store_true", help="do not install Bartizan")
    parser.add_argument("--append", default="", metavar="WORDS", help="more words for the kernel's command line")
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
    if given.icount and (given.keep or given.forward):
        parser.error("a guest under --icount has no network: --keep and --forward do not go with it")
    return given


def main():
    given = arguments()
    guest = IcountGuest(given) if given.icount else SessionGuest(given)
    status = RUNNER_FAILED
    try:
        guest.boot(given)
        status = guest.run(given.command)
    except (TimedOut, subprocess.TimeoutExpired):
        note(f"time-out after {given.timeout:g} s; the end of the guest's console:\n{guest.tail()}")
        status = TIMED_OUT
    except (Failure, OSError, subprocess.SubprocessError) as failure:
        note(f"{failure}\nthe end of the guest's console ({guest.console}):\n{guest.tail()}")
    finally:
        for failure in guest.fetch(given.get):
            note(f"--get {failure}")
            status = status or RUNNER_FAILED
        leave(guest, given, status)
    return status


def leave(guest, given, status):
    if given.keep and guest.runs():
        pid = guest.process.pid
        note(f"the guest keeps running; enter it with:\n  {guest.entrance()}\nand end it with:\n  kill {pid}; rm -r {guest.directory}")
        return
    guest.stop()
    if status != RUNNER_FAILED:
        shutil.rmtree(guest.directory, ignore_errors=True)


if __name__ == "__main__":
    # A terminated runner must not leave its guest behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(RUNNER_FAILED))
    sys.exit(main())
