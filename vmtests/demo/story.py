# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The story of scripts/demo, told while it happens. Ends with 1 at the first thing that is not as promised."""

import pathlib
import sys
import textwrap
import time

import stage
from stage import CHMOD, CONNECT, RENAME, RULE, USERADD, NotAsPromised, must, promise, run, wait_for

ATTACKS = [
    ("creates a user with useradd", USERADD, "capability USERS_ADMIN by executing /usr/sbin/useradd"),
    ("replaces /etc/passwd by rename", RENAME, "capability USERS_ADMIN by writing /etc/passwd"),
    ("opens sshd's configuration to everybody", CHMOD, "capability SSH by writing /etc/ssh/sshd_config"),
    ("connects to a denied address", CONNECT, "an outbound connection to 203.0.113.7:25/tcp"),
]


def say(text):
    print(f"\n── {textwrap.fill(text, 110)}", flush=True)


def show(text):
    print(textwrap.indent(text.rstrip() or "(nothing)", "   │ ", lambda _: True), flush=True)


def learn():
    say("Bartizan is installed and its hooks run in the kernel:")
    wait_for("enforcement is in force", stage.enforcing)
    show(must("bartizan", "status"))
    say("A web application starts as the systemd service http-server. One of its pages hands its parameter to a shell.")
    stage.put_on_stage()
    wait_for("Bartizan sees the service", lambda: "http-server" in stage.services())
    say("Normal traffic. Bartizan watches what the service needs for it; this is the model so far:")
    stage.traffic()
    wait_for("the model holds what the traffic needed", lambda: "SHELL" in stage.services()["http-server"]["granted"])
    show(must("bartizan", "show", "http-server"))


def graduate():
    say("The operator has seen enough and activates the service: from now on its model counts.")
    show(must("bartizan", "activate", "http-server"))
    promise(stage.services()["http-server"]["state"] == "active", "the service is active")
    say("The operator's rule, stronger than any model:")
    policy = (stage.HERE / "policy.toml").read_text()
    show(policy)
    show(stage.apply(policy))


def attack(before):
    for what, injection, message in ATTACKS:
        say(f"ATTACK over HTTP: the hijacked service {what}. It runs as root, and the kernel answers:")
        answer = stage.lookup(injection)
        show(answer)
        promise("Operation not permitted" in answer, f"the act is refused: {what}")
        promise(stage.facts() == before, f"nothing has changed: {what}")
        wait_for(f"the audit record of it ({message})", lambda: recorded(message))
    say("Normal traffic goes on:")
    stage.traffic(1)
    show("the front page and the lookup answer as before")


def recorded(message):
    found = [one for one in stage.audits() if one["message"].endswith(message)]
    return found and all(one["verdict"] == "deny" and one["rule"] == RULE for one in found)


def survive(before):
    say("The audit trail, and the journal of the service itself:")
    show(must("bartizan", "audits", "--service", "http-server"))
    journal = must("journalctl", "-u", "http-server", "--no-pager", "-o", "cat")
    promise("Service http-server attempted to obtain capability USERS_ADMIN" in journal, "journalctl -u shows the denial")
    show("\n".join(line for line in journal.splitlines() if "attempted" in line))
    say("Now Bartizan's own daemon is killed with SIGKILL, and the attack comes again:")
    # Left alone, systemd would start it again within a second, and nobody could see the difference.
    drop_in = pathlib.Path(stage.DROP_IN)
    drop_in.parent.mkdir(parents=True, exist_ok=True)
    drop_in.write_text("[Service]\nRestartSec=30\n")
    must("systemctl", "daemon-reload")
    # The main process alone: systemd 252 reports an error when the others are gone before it gets to them.
    must("systemctl", "kill", "-s", "KILL", "--kill-who=main", "bartizand")
    time.sleep(1)
    promise(run("pidof", "bartizand").returncode != 0, "the daemon is dead")
    answer = stage.lookup(USERADD)
    show(answer)
    promise("Operation not permitted" in answer, "the attack is refused without the daemon")
    promise(run("pidof", "bartizand").returncode != 0, "the daemon was dead all the time")
    promise(stage.facts() == before, "nothing has changed without the daemon")
    say("systemd starts the daemon again. It takes over what is in force, and tells of the attack it did not live to see:")
    wait_for("the daemon is back", stage.enforcing)
    wait_for("the second attack is told as a repeat of the first", repeated)
    show(must("bartizan", "audits", "--service", "http-server"))
    show(must("bartizan", "status"))


def repeated():
    first = [one for one in stage.audits() if one["path"] == "/usr/sbin/useradd" and one["repeats"] is None]
    more = [one for one in stage.audits() if first and one["repeats"] == first[0]["id"]]
    return sum(one["count"] for one in more) >= 1


def main():
    try:
        learn()
        before = stage.facts()
        promise(not before[0], "there is no user mallory yet")
        graduate()
        attack(before)
        survive(before)
    except NotAsPromised as broken:
        print(f"\nNOT AS PROMISED: {broken}", flush=True)
        show(run("journalctl", "-u", "bartizand", "--no-pager", "-o", "cat", "-n", "40").stdout)
        return 1
    finally:
        stage.leave_the_stage()
    say("Everything was as promised.")
    return 0


sys.exit(main())
