# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A ring that nobody empties: what cannot be told is counted, and every repeat is added to a record or to the loss."""

import pathlib

import stage
from audit import audits, last
from ground import rules_hold, victim
from service import Service
from stage import must, promise, run, wait_for
from suite import test

# The ring holds 16 MiB, an event takes more than 3 KiB, and one service may have 4,096 of them in a minute: two fill it.
FILLING, TRIES = 2700, 3000
PLACE = "/etc/sudoers.d"
AGAIN = f"{PLACE}/e2e-again"
POLICY = pathlib.Path("/etc/bartizan/policy.d/filler.toml")
RULES = """
[[rule]]
name = "the filler keeps its hands off"
services = ["filler"]
capabilities = { USERS_ADMIN = "prevent" }
"""
filler = Service("filler")


def fill(service):
    return service.one("refusals", [f"{PLACE}/e2e-fill-{number}" for number in range(FILLING)], 1, 1)


def counted(before, lost):
    """What is told of it since a record, and what is lost since so many."""
    mine = [one for name in ("victim", "filler") for one in audits("--service", name) if one["id"] > before]
    told = sum(one["count"] for one in mine if "writing /etc/sudoers.d/e2e-" in one["message"])
    return told, stage.status()["loss"]["violations"] - lost


@test
def what_a_full_ring_does_not_take_is_counted_to_the_last_act():
    rules_hold()
    try:
        filler.start()
        POLICY.write_text(RULES)
        must("bartizan", "policy", "apply")
        before, lost_before = last(), stage.status()["loss"]["violations"]
        must("systemctl", "kill", "-s", "SIGSTOP", "--kill-who=main", "bartizand")
        try:
            done = fill(victim) + fill(filler)
            # Now the ring is full, and both processors meet one act that cannot be told.
            done += victim.one("refusals", [AGAIN], TRIES, 2)
        finally:
            must("systemctl", "kill", "-s", "SIGCONT", "--kill-who=main", "bartizand")
        promise(done == 2 * (FILLING + TRIES), f"each is refused: {done}")
        wait_for("the daemon answers again", stage.enforcing)
        done += victim.one("refusals", [AGAIN], 10, 1)
        wait_for(f"{done} refusals are told or counted as lost", lambda: sum(counted(before, lost_before)) >= done)
        told, lost = counted(before, lost_before)
        promise(told + lost == done, f"none is counted twice: {told} told, {lost} lost, {done} refused")
        promise(lost > 0, f"the ring was full: {told} told, {lost} lost")
    finally:
        filler.stop()
        POLICY.unlink(missing_ok=True)
        run("bartizan", "policy", "apply")
