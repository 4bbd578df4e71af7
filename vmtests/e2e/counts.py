# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What the verifier had to look at: a program that becomes hard to follow must be noticed before a kernel refuses it."""

import stage
import verifier
from stage import promise, wait_for
from suite import test


@test
def the_verifier_looks_at_no_more_than_a_fifth_more_than_before():
    wait_for("Bartizan enforces", stage.enforcing)
    name, now = verifier.kernel(), verifier.loaded()
    print("\n".join(verifier.lines(name, now)), flush=True)
    promise(now and all(now.values()), f"every program has a count: {now}")
    before = verifier.kept().get(name)
    promise(before, f"{verifier.KEPT.name} has counts of {name}; `scripts/bench verifier --write` takes them")
    differences = list(verifier.compared(before, now))
    promise(not differences, f"{'; '.join(differences)}; `scripts/bench verifier --write` keeps the new counts when they are wanted")
