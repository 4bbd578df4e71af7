# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The set-up that the tests share: two services, one policy. Each part is made when it is first asked for."""

import os
import pathlib

import stage
import suite
from service import Service
from stage import must, promise, wait_for

AREA = pathlib.Path("/root/e2e")
SECOND = AREA / "second-name"  # of /etc/subgid
POLICY = pathlib.Path("/etc/bartizan/policy.d/e2e.toml")
RULE = "the victim keeps its hands off"
CLERK_RULE = "the clerk keeps to its model"
# The clerk's rule uses the other spelling of USERS_ADMIN, and every word that there is.
RULES = f"""
[[rule]]
name = "{RULE}"
services = ["victim"]

[rule.capabilities]
USERS_ADMIN = "prevent"
"SSH.write" = "prevent"
"DOCKER_SOCKET.connect" = "prevent"
"PRIVILEGED_PROCESSES.operate" = "prevent"
"PRIVILEGED_PROCESSES.read" = "prevent"
"PRIVILEGED_PROCESSES.write" = "prevent"
"SYSTEM_LOGS.operate" = "prevent"
"HOSTS_CONFIG.operate" = "prevent"
INSTALLER = "prevent"

[rule.outbound]
deny = [{{ to = "203.0.113.0/24", ports = [25] }}, {{ to = "2001:db8::/32" }}]
effect = "prevent"

[[rule]]
name = "{CLERK_RULE}"
services = ["clerk"]
violations = "prevent"

[rule.capabilities]
USER_ADMIN = "prevent"
HOSTS_CONFIG = "alert"
NET = "disable"
"SSH.write" = "allow"
"PRIVILEGED_PROCESSES.operate" = "allow"
"""

victim = Service("victim")
clerk = Service("clerk")


@suite.once
def services_run():
    """Both services run and learn, and no rule names them."""
    wait_for("Bartizan enforces", stage.enforcing)
    AREA.mkdir(exist_ok=True)
    for one in (victim, clerk):
        one.start()
        promise(one.known()["state"] == "learning", f"{one.name} starts in learning")


@suite.once
def second_names():
    """A second name for a file that the rule will protect, and an unrelated file with two names: before there is a rule."""
    services_run()
    (AREA / "unrelated").write_text("nothing\n")
    for source, target in (("/etc/subgid", SECOND), (AREA / "unrelated", AREA / "unrelated-too")):
        target.unlink(missing_ok=True)
        os.link(source, target)
    victim.must_allow("opened", str(SECOND), os.O_WRONLY)


@suite.once
def rules_hold():
    """The policy is in force and the victim is active; the clerk still learns."""
    second_names()
    apply(RULES)
    must("bartizan", "activate", "victim")


def apply(text):
    POLICY.write_text(text)
    return must("bartizan", "policy", "apply")
