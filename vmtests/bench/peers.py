# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Those that Bartizan is compared with. Each protects what the policy of the benchmark protects (USERS_ADMIN), and is
measured only when it has been seen to deny or report the same act as Bartizan."""

import os
import pathlib
import signal
import subprocess

import equivalent
from bartizan import FORBIDDEN
from place import BENCH, Wrong, output, say, wait_for

PROFILE = pathlib.Path("/run/acts.profile")
# Waking another process and being woken by it is less regular than a system call (in per cent).
TOLERANCE = "--tolerance 2"


def must_be_denied(place, line, error):
    status, _, err = place.run(line)
    if status == 0 or error not in err:
        raise Wrong(f"`{line}` must be denied with {error!r}: it ended with {status} {err}")


def apparmor(place):
    """A profile for the measured programs, entered as a service is told to by systemd: at the next exec."""
    PROFILE.write_text(equivalent.profile())
    output("apparmor_parser", "--add", "--skip-cache", str(PROFILE))
    place.must(FORBIDDEN)
    confined = "aa-exec -p acts --"
    must_be_denied(place, f"{confined} {FORBIDDEN}", "Permission denied")
    say("proof: AppArmor denies it to the confined task and to no other")
    measured = {"apparmor unconfined": place.warm(), "apparmor confined": place.warm(confined)}
    must_be_denied(place, f"{confined} {FORBIDDEN}", "Permission denied")
    output("apparmor_parser", "--remove", str(PROFILE))
    return measured


def fanotify(place):
    """A responder of our own that answers with the least that it takes."""
    with subprocess.Popen([f"{BENCH}/responder", "--deny", "/etc/shadow"], stdout=subprocess.PIPE, text=True) as responder:
        try:
            if responder.stdout.readline() != "ready\n":
                raise Wrong("the fanotify responder does not start")
            must_be_denied(place, FORBIDDEN, "Operation not permitted")
            say("proof: the fanotify responder denies it")
            return {"fanotify": place.warm(more=TOLERANCE)}
        finally:
            responder.terminate()


def fapolicyd(place):
    """Debian's daemon with rules of ours, in enforcing mode."""
    for file, lines in equivalent.fapolicyd().items():
        file.write_text("".join(f"{line}\n" for line in lines))
    os.makedirs("/run/fapolicyd", exist_ok=True)
    output("chown", "-R", "fapolicyd:fapolicyd", "/run/fapolicyd", "/var/lib/fapolicyd")
    with open("/run/fapolicyd.err", "w") as log:
        daemon = subprocess.Popen(["fapolicyd", "--debug-deny"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_for("fapolicyd denies it", lambda: daemon.poll() is not None or place.run(FORBIDDEN)[0] != 0)
        if daemon.poll() is not None:
            raise Wrong(f"fapolicyd has ended: {pathlib.Path('/run/fapolicyd.err').read_text()}")
        must_be_denied(place, FORBIDDEN, "Operation not permitted")
        say("proof: fapolicyd denies it")
        return {"fapolicyd": place.warm(more=TOLERANCE)}
    finally:
        daemon.terminate()
        daemon.wait(60)


def auditd(place):
    """Debian's daemon, with a watch on each name. It denies nothing: it reports."""
    log = pathlib.Path("/var/log/audit/audit.log")
    output("auditd")
    for watch in equivalent.watches():
        output("auditctl", *watch)
    place.must(FORBIDDEN)
    wait_for("auditd reports it", lambda: 'name="/etc/shadow"' in log.read_text() and f'key="{equivalent.KEY}"' in log.read_text())
    say(f"proof: auditd reports it; {len(equivalent.watches())} watches")
    measured = {"auditd": place.warm()}
    output("auditctl", "-D")
    output("auditctl", "-e", "0")
    # Once auditing was on, the kernel readies every new task for it; this rule tells it not to.
    output("auditctl", "-a", "never,task")
    os.kill(int(pathlib.Path("/run/auditd.pid").read_text()), signal.SIGTERM)
    wait_for("auditd has ended", lambda: not pathlib.Path("/run/auditd.pid").exists())
    return measured


ALL = (apparmor, fanotify, fapolicyd, auditd)
