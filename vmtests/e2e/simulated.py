# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What a policy would have refused, before it is applied, and what would permit an act that was refused: both are shown to be true by
applying them."""

import json
import os
import pathlib
import re

from audit import audits, last
from ground import POLICY, RULES, apply, rules_hold
from service import Service
from stage import must, promise, run, services, wait_for
from suite import once, test

OTHER = pathlib.Path("/root/e2e-simulated.toml")
RULE = """
[[rule]]
name = "e2e simulated"
services = ["e2e-sim"]
capabilities = { "SSH.write" = "prevent", SHELL = "prevent", "PRIVILEGED_PROCESSES.operate" = "prevent" }

[rule.outbound]
deny = [{ to = "203.0.113.0/24", ports = [25] }]
effect = "alert"
"""
ACTS = {
    "SSH.write": ["opened", "/etc/ssh/e2e-sim", os.O_WRONLY | os.O_CREAT],
    "SSH.read": ["opened", "/etc/ssh/sshd_config", os.O_RDONLY],
    "SHELL.execute": ["execute", "/bin/dash", "-c", ":"],
    "USERS_ADMIN.read": ["opened", "/etc/shadow", os.O_RDONLY],
    "PRIVILEGED_PROCESSES.operate": ["chroot", "/"],
    "outbound": ["connect", "AF_INET", "SOCK_DGRAM", "203.0.113.7", 25],
}
WOULD = {"SSH.write", "SHELL.execute", "PRIVILEGED_PROCESSES.operate"}
sim = Service("e2e-sim")


def performed():
    return {name: sim.one(*act) for name, act in ACTS.items()}


def simulated(*more):
    """Of this service, and the exit status."""
    done = run("bartizan", "simulate", "--policy", str(OTHER), "--json", *more)
    promise(done.returncode in (0, 1), f"it can be simulated: {done}")
    found = json.loads(done.stdout)
    return {one["what"]: one for one in found["refused"] if one["service"] == "e2e-sim"}, done.returncode, found["deeds"]


@once
def done():
    """The service has done it all while nothing was prevented."""
    rules_hold()
    OTHER.write_text(RULES + RULE)
    sim.start()
    answers = performed()
    promise(set(answers.values()) == {"ok"}, f"nothing is refused: {answers}")
    wanted = {name for name in ACTS if name != "outbound"}
    learned = lambda: {f"{capability}.{access}" for capability, accesses in services()["e2e-sim"]["granted"].items() for access in accesses}
    wait_for("its model has it all", lambda: wanted <= learned())


@test
def simulate_says_what_a_policy_would_refuse():
    done()
    found, status, _ = simulated()
    promise(status == 1 and set(found) == WOULD, f"it would refuse {WOULD}: {status} {found}")
    for name, one in found.items():
        promise(one["rule"] == "e2e simulated" and one["count"] >= 1 and one["first"] and one["exe"].startswith("/usr/bin/python3"),
                f"with the rule and the first evidence: {one}")
    promise(found["SSH.write"]["object"] == "/etc/ssh/e2e-sim", f"and what it touched: {found['SSH.write']}")
    text = run("bartizan", "simulate", "--policy", str(OTHER))
    promise(text.returncode == 1 and "e2e-sim: SSH.write" in text.stdout and "would have been refused" in text.stdout, f"in words: {text}")


@test
def simulate_looks_at_the_time_that_is_asked_for():
    done()
    OTHER.write_text(RULES)
    promise("e2e-sim" not in run("bartizan", "simulate", "--policy", str(OTHER)).stdout, "without the rule nothing of it would be refused")
    OTHER.write_text(RULES + RULE)
    wait_for("what was done is long ago", lambda: simulated("--since", "2s")[0] == {})
    promise(set(simulated("--since", "1d")[0]) == WOULD, "today it was done")


@test
def simulate_refuses_a_policy_that_is_none():
    done()
    OTHER.write_text(RULE.replace("services", "servces"))
    bad = run("bartizan", "simulate", "--policy", str(OTHER))
    promise(bad.returncode == 2 and f"{OTHER}:" in bad.stderr, f"with file and line: {bad}")
    OTHER.write_text(RULES + RULE)


def take(diff):
    """What patch(1) does, for whole files: each hunk's old text is replaced by its new text."""
    for old, new, hunks in re.findall(r"^--- (\S+)\n\+\+\+ b(\S+)\n((?:(?!^--- |^# ).*\n)+)", diff, re.M):
        path = pathlib.Path(new)
        text = "" if old == "/dev/null" else path.read_text()
        for hunk in re.split(r"^@@.*@@\n", hunks, flags=re.M)[1:]:
            lines = [line for line in hunk.splitlines(keepends=True) if not line.startswith("\\")]
            before = "".join(line[1:] for line in lines if line[0] in " -")
            promise(text.count(before) >= 1, f"the diff fits {path}: {hunk}")
            text = text.replace(before, "".join(line[1:] for line in lines if line[0] in " +"), 1) if before else "".join(
                line[1:] for line in lines)
        path.write_text(text)


@test
def what_was_simulated_comes_true_and_a_suggestion_permits_it_again():
    done()
    since = last()
    apply(RULES + RULE)
    answers = performed()
    refused = {name for name, answer in answers.items() if answer == "EPERM"}
    promise(refused == WOULD, f"the kernel refuses what was simulated: {answers}")
    record = wait_for("the refusal is on record", lambda: [one for one in audits("--service", "e2e-sim") if one["id"] > since
                                                           and "SSH" in one["capabilities"] and one["verdict"] == "deny"], 20)[0]
    diff = must("bartizan", "audits", "--suggest", str(record["id"]))
    before = POLICY.read_text()
    take(diff)
    promise(before != POLICY.read_text(), f"it changes the rule that names the service: {diff}")
    must("bartizan", "policy", "apply")
    promise(sim.one(*ACTS["SSH.write"]) == "ok", f"now it is permitted: {diff}")
    promise(sim.one(*ACTS["PRIVILEGED_PROCESSES.operate"]) == "EPERM", "and nothing else")
    wrong = run("bartizan", "audits", "--suggest", "999999")
    promise(wrong.returncode == 2 and "no audit record" in wrong.stderr, f"a record that is none: {wrong}")


@test
def a_suggestion_beside_a_rule_for_many():
    done()
    since = last()
    apply(RULES + RULE.replace('["e2e-sim"]', '["e2e-si*"]'))
    promise(sim.one(*ACTS["SSH.write"]) == "EPERM", "the wider rule refuses it")
    record = wait_for("the refusal is on record", lambda: [one for one in audits("--service", "e2e-sim") if one["id"] > since
                                                           and "SSH" in one["capabilities"] and one["verdict"] == "deny"], 20)[0]
    take(must("bartizan", "audits", "--suggest", str(record["id"])))
    own = POLICY.with_name("allow-e2e-sim.toml")
    try:
        must("bartizan", "policy", "apply")
        promise(sim.one(*ACTS["SSH.write"]) == "ok", f"a rule of its own permits it: {own.read_text()}")
    finally:
        own.unlink(missing_ok=True)
        apply(RULES)
        sim.stop()
        pathlib.Path("/etc/ssh/e2e-sim").unlink(missing_ok=True)
