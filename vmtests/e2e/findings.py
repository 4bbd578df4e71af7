# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What `policy check` finds in rules that may be applied, on a host with real units."""

from ground import AREA, POLICY, RULES, rules_hold
from stage import must, promise, run
from suite import test

TEXT = """
[[rule]]
name = "e2e strict"
services = ["cron"]
capabilities = { "GCLOUD.execute" = "prevent", "K8S.execute" = "prevent" }

[[rule]]
name = "e2e loose"
services = ["cron"]
capabilities = { "GCLOUD.execute" = "allow" }

[[rule]]
name = "e2e nobody"
services = ["e2e-no-such-unit"]
violations = "alert"

[[rule]]
name = "e2e alias"
services = ["e2e-other-name"]
violations = "alert"
"""
# Line and words of what is told, by the weight.
FINDINGS = [(":8:8: finding: for cron it says GCLOUD.execute = \"allow\", and the rule \"e2e strict\"", ":3:8"),
            (":8:8: finding: it never decides anything: the rule \"e2e strict\"", ":3:8")]
NOTES = [(":13:8: note: this host has no unit that \"e2e-no-such-unit\" fits", ""),
         (":18:8: note: \"e2e-other-name\" is another name of cron on this host", "")]


def lines(done):
    return done.stdout.splitlines()


def told(said, file, expected):
    for start, part in expected:
        promise(any(line.startswith(f"{file}{start}") and part in line for line in said), f"{file}{start} … {part} is told: {said}")


@test
def policy_check_tells_what_is_in_vain():
    AREA.mkdir(exist_ok=True)
    must("ln", "-sf", "/lib/systemd/system/cron.service", "/etc/systemd/system/e2e-other-name.service")
    file = AREA / "findings.toml"
    file.write_text(TEXT)
    done = run("bartizan", "policy", "check", str(file))
    promise(done.returncode == 0, f"it may be applied: {done}")
    told(lines(done), file, FINDINGS + NOTES)
    promise("2 findings" in lines(done)[-1], f"they are counted: {done.stdout}")
    strict = run("bartizan", "policy", "check", "--strict", str(file))
    promise(strict.returncode == 1 and strict.stdout == done.stdout, f"--strict ends with 1: {strict}")
    notes = AREA / "notes.toml"
    notes.write_text(TEXT[TEXT.index("[[rule]]\nname = \"e2e nobody\""):])
    promise(run("bartizan", "policy", "check", "--strict", str(notes)).returncode == 0, "notes are about this host only")
    shipped = run("bartizan", "policy", "check", "--strict", "/etc/bartizan/policy.d/00-default.toml")
    promise(shipped.returncode == 0 and "good" in shipped.stdout, f"the policy that is shipped is good: {shipped}")


@test
def policy_apply_tells_what_is_in_vain():
    rules_hold()
    POLICY.write_text(RULES + TEXT)
    try:
        done = run("bartizan", "policy", "apply")
    finally:
        POLICY.write_text(RULES)
        must("bartizan", "policy", "apply")
        must("rm", "/etc/systemd/system/e2e-other-name.service")
    at = len(RULES.splitlines())
    said = lines(done)
    promise(done.returncode == 0 and said[-1].endswith("the kernel holds it"), f"it is applied: {done}")
    promise(any(f"{POLICY}:{at + 8}:8: finding: " in line for line in said), f"and findings are told: {said}")
