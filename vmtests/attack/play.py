# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Plays every scenario twice, first without the rule and then with it, and prints what came of it."""

import dataclasses

import hijacked  # noqa: F401 (enters its acts)
import scene
from kept import Kept
from scenario import SERVICE, SESSION
from table_credentials import ROWS as CREDENTIALS
from table_escape import ROWS as ESCAPE
from table_execution import ROWS as EXECUTION
from table_impairment import ROWS as IMPAIRMENT
from table_persistence import ROWS as PERSISTENCE
from table_proxies import ROWS as PROXIES
from trail import Trail
from victim import perform

ALL = list(enumerate(EXECUTION + CREDENTIALS + PERSISTENCE + ESCAPE + IMPAIRMENT + PROXIES, 1))
DENIED_AT_LEAST = 36
# The kernel tells repeats once a second; everything is slow under emulation.
PATIENCE = 3


@dataclasses.dataclass
class Played:
    """One scenario and what was seen of it."""

    number: int
    row: object
    free: str
    answer: str = ""
    changed: list = dataclasses.field(default_factory=list)
    record: dict = None
    others: list = dataclasses.field(default_factory=list)

    @property
    def outcome(self):
        """denied, audited or unseen."""
        if not self.record:
            return "unseen"
        refused = self.answer in self.row.answers and self.record["verdict"] == "deny" and not self.changed
        return "denied" if refused else "audited"

    def as_promised(self):
        wanted = "denied" if self.row.verdict == "deny" else "audited"
        free = self.free == "ok" or not self.row.control
        return free and self.outcome == wanted and self.answer in self.row.answers


def attempt(row, who):
    """The act once, by the service or by this session. The answer, and which paths it changed; all is put back. What
    cannot be prepared is told, and the other rows go on."""
    try:
        row.before()
    except Exception as mistake:
        return f"not prepared: {mistake}", []
    kept = Kept(row.paths)
    try:
        answer = perform(row.request()) if who == SESSION else scene.SERVICES[row.by].one(*row.request())
    finally:
        changed = kept.changed()
        row.after()
        kept.put_back()
    return str(answer), changed


def without_rule(row):
    if not row.control:
        return f"not tried: {row.reason}"
    return attempt(row, row.control)[0]


def play(rows):
    """All of them: a change of policy takes seconds."""
    played = [Played(number, row, without_rule(row)) for number, row in rows]
    scene.rules_hold()
    trail = Trail()
    for one in played:
        trail.new()
        one.answer, one.changed = attempt(one.row, SERVICE)
        one.record, seen = trail.wait_for(one.row.told_by, PATIENCE)
        one.others = [] if one.record else [record["message"] for record in seen if record["verdict"]]
        print(line(one), flush=True)
    return played


def line(one):
    row = one.row
    technique = f"{row.technique} ({row.older})" if row.older else row.technique
    told = f"{one.record['verdict']}, {row.needs}" if one.record else "no record"
    text = f"{one.number:3}  {technique:21}  {row.title[:58]:58}  {one.free[:32]:32}  {one.answer[:24]:24}  {told:40}  {one.outcome}"
    if one.as_promised():
        return text
    why = f" changed: {one.changed};" if one.changed else ""
    return f"{text}  << not as promised;{why} wanted {row.needs} {row.verdict} about `{row.about}`; told: {one.others[:3]}"


def summary(played):
    """The last line, and whether all is as the issue demands."""
    count = {word: sum(one.outcome == word for one in played) for word in ("denied", "audited", "unseen")}
    broken = sum(not one.as_promised() for one in played)
    print(f"{len(played)} scenarios: {count['denied']} denied before the act, {count['audited']} audited, {count['unseen']} unseen; "
          f"{broken} not as the table promises")
    return not broken and not count["unseen"]


def wanted(words):
    """The rows that a word chooses: a part of the title or the technique, or the number."""
    return [(number, row) for number, row in ALL
            if not words or any(word in (str(number), row.technique) or word in row.title for word in words)]


def suite(words):
    rows = wanted(words)
    if not rows:
        raise scene.stage.NotAsPromised(f"there is a scenario with one of {words}")
    granted = scene.set_up()
    print(f"on good days: {granted}\n\n  #  technique              what                                                        "
          "without the rule                  with the rule             record                                    outcome")
    played = play(rows)
    good = summary(played)
    denied = sum(one.outcome == "denied" for one in played)
    if not words and denied < DENIED_AT_LEAST:
        print(f"expected at least {DENIED_AT_LEAST} denied before the act, but: {denied}")
        return False
    return good
