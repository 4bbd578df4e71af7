# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A ring that nobody empties: what cannot be told is counted, and every repeat is added to a record or to the loss."""


import stage
from audit import audits, last
from ground import rules_hold, victim
from stage import must, promise, wait_for
from suite import test

# The ring holds 4 MiB, an event takes more than 3 KiB.
FILLING, TRIES = 1400, 3000
PLACE = "/etc/sudoers.d"
AGAIN = f"{PLACE}/e2e-again"


@test
def what_a_full_ring_does_not_take_is_counted_to_the_last_act():
    rules_hold()
    before, lost = last(), stage.status()["loss"]["violations"]
    done = 0
    must("systemctl", "kill", "-s", "SIGSTOP", "--kill-who=main", "bartizand")
    try:
        done += victim.one("refusals", [f"{PLACE}/e2e-fill-{number}" for number in range(FILLING)], 1, 1)
        # Now the ring is full, and both processors meet one act that cannot be told.
        done += victim.one("refusals", [AGAIN], TRIES, 2)
    finally:
        must("systemctl", "kill", "-s", "SIGCONT", "--kill-who=main", "bartizand")
    wait_for("the daemon answers again", stage.enforcing)
    done += victim.one("refusals", [AGAIN], 10, 1)

    def counted():
        told = sum(one["count"] for one in audits("--service", "victim") if one["id"] > before and "writing /etc/sudoers.d/e2e-" in one["message"])
        return told, stage.status()["loss"]["violations"] - lost

    wait_for(f"{done} refusals are told or counted as lost: {counted()}", lambda: sum(counted()) >= done)
    told, lost = counted()
    promise(told + lost == done, f"none is counted twice: {told} told, {lost} lost, {done} refused")
    promise(lost > 0, f"the ring was full: {told} told, {lost} lost")
    promise([one for one in audits("--service", "victim") if one["id"] > before and one["message"].endswith(AGAIN)],
            "what could not be told is told when there is room")
