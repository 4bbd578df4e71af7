#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Real boots of one guest on one disk: with a policy in force, after the power went while models were written, with a broken policy on a
full disk, switched off on the kernel's command line, and with a kernel that lacks BPF LSM. Each must come up to multi-user, and says what is the matter.

    vmtests/boot-test.py [KERNEL]      on the host; a policy is in force before the network, or not, as each boot deserves"""

import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "demo"), str(HERE / "e2e")]

import image  # noqa: E402
import turns  # noqa: E402
from guest import TimedOut, note  # noqa: E402
from image import Failure  # noqa: E402
from session import SessionGuest  # noqa: E402
from stage import NotAsPromised, promise  # noqa: E402

# How often the power goes.
CUTS = 10 if os.environ.get("BARTIZAN_SOAK") else 2
RULE = '[[rule]]\nname = "the first one"\nservices = ["e2e-first"]\ncapabilities = { USERS_ADMIN = "prevent" }\n'
# It notes whether it may write, at each of its starts.
ACT = "import errno\ntry: open('/etc/shells', 'a'); said = 'ok'\nexcept OSError as e: said = errno.errorcode[e.errno]\n" \
      "open('/run/e2e-first', 'w').write(said)\n"
UNIT = "[Unit]\nDefaultDependencies=no\nAfter=network-pre.target local-fs.target\n[Service]\nType=oneshot\nRemainAfterExit=yes\n" \
       "ExecStart=/usr/bin/python3 /opt/e2e-first.py\n[Install]\nWantedBy=multi-user.target\n"
# To load takes a second, but under emulation more than the early unit's 10.
PATIENT = "[Service]\nTimeoutStartSec=120\n"
DROP_IN = "/etc/systemd/system/bartizan-early.service.d/patient.conf"
ACTIVE = "/var/lib/bartizan/revisions/$(cat /var/lib/bartizan/revisions/active)/revision.json"


class RebootedGuest(SessionGuest):
    """A guest whose disk outlives its power."""

    def first_boot(self, given):
        self.given, self.files = given, image.image(given.release, note)
        self.disk = self.directory / "root.img"
        subprocess.run(["cp", "--sparse=always", str(self.files / "root.img"), str(self.disk)], check=True)
        self.boot(given)

    def boots_again(self, append="", seconds=15, cut=False):
        """Off and on, with other words on the kernel's command line. The early unit takes that long at most. With `cut` the power
        goes: what the guest has not written to its disk is gone."""
        if cut:
            self.process.kill()
        else:
            self.quiet("systemctl poweroff")
        self.process.wait(min(120, self.left()))
        self.given.append = append
        started = time.monotonic()
        self.power_on(self.given, self.files, None)
        print(f"     up in {time.monotonic() - started:.0f} s: {append or 'nothing more on the command line'}", flush=True)
        promise(self.says("systemctl is-active multi-user.target") == "active", "it comes up to multi-user")
        times = "InactiveExitTimestampMonotonic,ActiveEnterTimestampMonotonic,InactiveEnterTimestampMonotonic"
        shown = self.says(f"systemctl show -p {times} --value bartizan-early.service").split()
        began, *ended = sorted(int(one) for one in shown if one != "0")
        took = (ended[0] - began) / 1e6
        promise(took < seconds, f"the early unit holds the boot up no longer than its limit: {took:.0f} s")

    def does(self, line):
        done = self.quiet(line, 180)
        return done.returncode, (done.stdout + done.stderr).strip()

    def says(self, line):
        return self.does(line)[1]

    def must(self, line):
        status, said = self.does(line)
        promise(status == 0, f"`{line}` ends with 0: {status} {said}")
        return said

    def write(self, path, text):
        self.must(f"mkdir -p $(dirname {path}) && cat >{path} <<'END'\n{text}END")

    def status(self):
        return json.loads(self.does("bartizan status --json 2>/dev/null")[1] or "{}")

    def first(self):
        """What the service was told at its last start."""
        return self.must("cat /run/e2e-first")

    def first_again(self):
        self.must("systemctl restart e2e-first")
        return self.first()


def prepared(guest):
    """Two revisions, and a service that starts as early as the network."""
    guest.write("/opt/e2e-first.py", ACT)
    guest.write("/etc/systemd/system/e2e-first.service", UNIT)
    guest.write(DROP_IN, PATIENT)
    for comment in ("# one\n", "# two\n"):
        guest.write("/etc/bartizan/policy.d/boot.toml", comment + RULE)
        guest.must("bartizan policy apply")
    guest.must("systemctl enable e2e-first 2>&1")


def a_policy_is_in_force_before_the_network(guest):
    guest.boots_again(seconds=120)
    promise(guest.first() == "EPERM", f"a service that starts with the network is refused: {guest.first()}")
    status = guest.status()
    promise(status.get("enforcement") == "enforcing", f"the daemon enforces: {status}")
    earlier = status["started_earlier"]
    promise("e2e-first" not in earlier, f"the service did not start before enforcement: {earlier}")


def the_power_goes_while_models_are_written(guest):
    guest.write("/opt/e2e-turns.py", (HERE / "e2e" / "turns.py").read_text())
    # Or the first cut could leave an empty file of it, which ends at once.
    guest.must("sync /opt/e2e-turns.py")
    for _ in range(CUTS):
        guest.must("rm -f /var/lib/e2e-turns; systemd-run -q --collect --unit=e2e-turns python3 -B /opt/e2e-turns.py e2e-first /var/lib/e2e-turns")
        deadline = time.monotonic() + 60
        while len(guest.says("cat /var/lib/e2e-turns 2>/dev/null").splitlines()) < 6:
            promise(time.monotonic() < deadline, f"states take turns: {guest.says('systemctl status e2e-turns')}")
        time.sleep(random.uniform(0, 2))
        guest.boots_again(seconds=120, cut=True)
        told = guest.must("cat /var/lib/e2e-turns").split("\n")
        deadline = time.monotonic() + 90
        while guest.status().get("enforcement") != "enforcing":
            promise(time.monotonic() < deadline, "the daemon enforces again")
            time.sleep(1)
        state = json.loads(guest.must("bartizan show e2e-first --json"))["state"]
        promise(state in turns.possible(told), f"it stands where it was put: {state}, and {told[-4:]}")
        aside = guest.says("ls /var/lib/bartizan/models | grep -c corrupt")
        promise(aside == "0", f"every model is whole: {aside} were set aside")
        print(f"     after `{(told + [''])[-2]}` it is {state}", flush=True)


def a_broken_policy_on_a_full_disk(guest):
    guest.must(f"cp {ACTIVE} /root/kept.json; truncate -s 20 {ACTIVE}; echo 'rule = 1' >/etc/bartizan/policy.d/bad.toml; rm {DROP_IN}")
    guest.does("dd if=/dev/zero of=/fill bs=1M; dd if=/dev/zero of=/fill2 bs=1; sync")
    guest.boots_again()
    promise(guest.must("df --output=avail / | tail -n 1").strip() == "0", "the disk is full")
    deadline = time.monotonic() + 90
    while guest.status().get("enforcement") != "enforcing":
        said = guest.says("journalctl -u bartizand -o cat | tail -n 5")
        promise(time.monotonic() < deadline, f"the revision before is in force: {said}")
        time.sleep(1)
    promise("a revision cannot be used" in guest.says("journalctl -b -u bartizan-early -u bartizand -o cat"), "what is wrong is told")
    promise(guest.first_again() == "EPERM", f"the service is refused by the revision before: {guest.first()}")
    guest.must(f"rm /fill /fill2 /etc/bartizan/policy.d/bad.toml; mv /root/kept.json {ACTIVE}")


def switched_off_on_the_command_line(guest):
    guest.boots_again("bartizan.disable")
    promise(guest.first() == "ok" and guest.first_again() == "ok", f"nothing is enforced: {guest.first()}")
    promise(guest.status().get("enforcement") == "disabled", f"the status says so: {guest.status()}")
    loud = guest.says("journalctl -b -u bartizand -o cat")
    promise("SWITCHED OFF" in loud and "bartizan.disable is on the kernel command line" in loud, f"the journal says so: {loud[-300:]}")


def a_kernel_without_bpf_lsm(guest):
    guest.boots_again("lsm=lockdown,capability,yama")
    promise(guest.first() == "ok", f"nothing is enforced: {guest.first()}")
    deadline = time.monotonic() + 60
    while "ExecMainStatus=3" not in (unit := guest.says("systemctl show -p ExecMainStatus,NRestarts bartizand").split()):
        promise(time.monotonic() < deadline, f"the daemon ends with 3: {unit} {guest.says('systemctl status bartizand')}")
        time.sleep(1)
    promise("NRestarts=0" in unit, f"and is not started again and again: {unit}")
    status, said = guest.does("bartizan doctor")
    promise(status == 3 and "lsm=" in said, f"`bartizan doctor` ends with 3 and says what to add: {status} {said}")


BOOTS = [a_policy_is_in_force_before_the_network, the_power_goes_while_models_are_written, a_broken_policy_on_a_full_disk, switched_off_on_the_command_line,
         a_kernel_without_bpf_lsm]


def main():
    parser = argparse.ArgumentParser(description="Real boots of one guest.")
    parser.add_argument("kernel", nargs="?", default="6.12")
    given = parser.parse_args()
    for name, value in {"release": "bookworm", "timeout": 900 + 120 * CUTS, "append": "", "bare": False, "in_turns": False, "put": [], "forward": []}.items():
        setattr(given, name, value)
    guest = RebootedGuest(given)
    passed, failed = 0, ""
    try:
        guest.first_boot(given)
        prepared(guest)
        for boot in BOOTS:
            name = boot.__name__.replace("_", " ")
            failed = name
            boot(guest)
            print(f"pass boot: {name}", flush=True)
            passed, failed = passed + 1, ""
    except (NotAsPromised, Failure, TimedOut, OSError, subprocess.SubprocessError) as broken:
        print(f"FAIL boot: {failed or 'the set-up'}: {broken}\n{guest.tail()}", flush=True)
    finally:
        guest.stop()
        shutil.rmtree(guest.directory, ignore_errors=True)
    print(f"{passed} passed, {len(BOOTS) - passed} failed or not reached")
    return 0 if passed == len(BOOTS) else 1


if __name__ == "__main__":
    sys.exit(main())
