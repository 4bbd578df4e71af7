# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The rule for the services of the aliases and of the kinds of units: one glob, one policy."""

import suite
from ground import RULES, apply, rules_hold

RULE = "lodgers keep to their rooms"
NEEDS = ["SYSTEM_LOGS", "USERS_ADMIN", "SSH", "NET", "SERVICE_OPERATOR", "PRIVILEGED_PROCESSES"]
LODGERS = f"""
[[rule]]
name = "{RULE}"
services = ["lodger", "lodger-*"]

[rule.capabilities]
""" + "".join(f'"{name}.{access}" = "prevent"\n' for name in NEEDS for access in ("write", "read", "execute"))


@suite.once
def lodgers_hold():
    rules_hold()
    apply(RULES + LODGERS)
