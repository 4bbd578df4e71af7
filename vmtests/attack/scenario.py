# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What one row of the table is."""

import dataclasses
import typing

# Who performs the act when no rule is in force.
SERVICE, SESSION = "the service", "a session"


@dataclasses.dataclass
class Scenario:
    """One act of an attacker who has root inside a confined service."""

    technique: str  # ATT&CK v19
    title: str
    act: typing.Any  # a list for victim.perform, or a function that makes one when all is set up
    needs: str  # CAPABILITY.access, "tamper", "outbound" or "escape": what the record must say
    about: str  # a part of the record's message: the object
    older: str = ""  # its id before v19, where that differs
    by: str = "hijacked"  # or the service to which more is granted
    answers: tuple = ("EPERM",)  # with the rule; "no effect" where a program between hides the error
    verdict: str = "deny"
    # Bartizan defends itself without any rule, so such acts are shown to work by a login session; "" where nobody can try
    # them without harm, and `reason` says why.
    control: str = SERVICE
    reason: str = ""
    paths: tuple = ()  # must be unchanged after the refusal
    before: typing.Callable = lambda: None  # brings what the act needs
    after: typing.Callable = lambda: None  # takes away what it left, beside the paths

    def request(self):
        return self.act() if callable(self.act) else self.act

    def told_by(self, record):
        """Whether an audit record is about this act."""
        if record["verdict"] != self.verdict or record["service"] != self.by or self.about not in record["message"]:
            return False
        if "." not in self.needs:
            return record["kind"] == self.needs
        capability, access = self.needs.split(".")
        return record["kind"] == "capability" and capability in record["capabilities"] and record["access"] == access
