# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Random trials: an act that must be refused and its twin that must not, by another name, in a race, around a restart."""

import collections
import os
import pathlib
import random
import shutil
import subprocess

import hijacked  # noqa: F401 (enters its acts)
import scene
import weather
from composition import compose
from preparing import unmounted
from stage import promise
from trail import Trail
from victim import perform

ROUNDS, SECONDS = 6, 0.15
TELL_EACH = 500
CAGE = pathlib.Path("/sys/fs/cgroup/attack-cage")


class Trial:
    """The files of one composition."""

    def __init__(self, composed):
        self.composed = composed
        self.room = str(scene.AREA / f"room-{composed.number}")
        self.target = f"{composed.place}/trial-{composed.number}"
        self.spare = str(scene.AREA / f"spare-{composed.number}")
        self.twin = str(scene.AREA / f"twin-{composed.number}")
        # As protected as the target: its place is another one, unless the act is reading.
        self.other = f"{composed.other_place()}/other-{composed.number}"
        self.mounts = []

    def __enter__(self):
        os.makedirs(self.room)
        first = f"{self.room}/before" if self.composed.alias == "the name it had before" else self.target
        for path in (first, self.spare, self.twin, self.other):
            pathlib.Path(path).write_text("# nothing\n")
        os.link(self.spare, f"{self.room}/spare-too")
        if first != self.target:
            os.link(first, self.target)
        self.name = self.alias()
        return self

    def alias(self):
        """Makes the other name and returns it."""
        place, base = os.path.split(self.target)
        kind = self.composed.alias
        if kind == "a name with dots":
            return f"{place}/../{os.path.basename(place)}/./{base}"
        if kind == "/proc/self/root":
            return f"/proc/self/root{self.target}"
        if kind == "a symbolic link":
            os.symlink(self.target, f"{self.room}/pointer")
            return f"{self.room}/pointer"
        if kind == "a directory by a symbolic link":
            os.symlink(place, f"{self.room}/place")
            return f"{self.room}/place/{base}"
        if kind == "a hard link made afterwards":
            os.link(self.target, f"{self.room}/link")
            return f"{self.room}/link"
        if kind == "the name it had before":
            return f"{self.room}/before"
        if kind == "a bind mount of it":
            return self.bound(self.target, f"{self.room}/bound", "")
        if kind == "a bind mount of its directory":
            return self.bound(place, f"{self.room}/bound", f"/{base}")
        return self.target

    def bound(self, source, name, below):
        if below:
            os.mkdir(name)
        else:
            pathlib.Path(name).write_text("")
        subprocess.run(["mount", "--bind", source, name], check=True)
        self.mounts.append(name)
        return name + below

    def __exit__(self, *_):
        unmounted(*self.mounts)()
        shutil.rmtree(self.room)
        for path in (self.target, self.spare, self.twin, self.other):
            pathlib.Path(path).unlink(missing_ok=True)

    def run(self):
        """What was wrong, in words, and how often the service was refused."""
        forbidden, allowed = self.composed.request(self.name), self.composed.request(self.twin)
        beside = [["opened", path, os.O_WRONLY] for path in (self.target, self.spare)] if self.composed.race == "other names opened" else []
        race = self.composed.race
        with weather.race(race, self):
            act = ["attempts", ROUNDS, SECONDS, forbidden, allowed, beside]
            if self.composed.way == "from another cgroup":
                act = ["from_cgroup", str(CAGE), *act]
            counts = scene.SERVICES["hijacked"].one(*act)
        if isinstance(counts, str):
            return f"the service answered {counts}", 0
        control = perform(forbidden)
        wrong = self.judge(counts, str(control))
        return wrong, sum(one.get("EPERM", 0) for one in counts)

    def judge(self, counts, control):
        # A name that is away for a moment, or an inode that is gone for good, is no verdict.
        moving = {"ENOENT", "ESTALE"} if self.composed.race in ("its directory moved", "it is replaced") else set()
        # Seen on 6.12 without Bartizan: 4 of 119,000 opens by handle of a file that is being replaced. No time to go is known.
        if self.composed.race == "it is replaced" and self.composed.way == "by_handle":
            moving.add("ENOMEM")
        expected = [{"EPERM"} | moving, {"ok"}, {"EPERM"}, {"ok"}]
        for what, answers, right in zip(("forbidden", "allowed", "its name beside", "innocent beside"), counts, expected):
            if set(answers) - right or (not moving and not set(answers) & right):
                return f"{what}: {answers}"
        return "" if control == "ok" else f"the same act by a session: {control}"


def suite(count, seed=None):
    """Runs them all. True when no verdict was wrong and each refusal is on record."""
    seed = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    print(f"trials: {count} with seed {seed}", flush=True)
    scene.set_up()
    scene.rules_hold()
    CAGE.mkdir(exist_ok=True)
    trail, restarts, refused, wrongs = Trail(), weather.Restarts(), 0, []
    kinds = collections.Counter()
    for number in range(count):
        composed = compose(seed, number)
        kinds.update((composed.alias, composed.way, composed.race))
        if composed.restart:
            restarts.begin(composed.restart)
        with Trial(composed) as trial:
            wrong, times = trial.run()
        refused += times
        if wrong:
            wrongs.append(composed)
            print(f"WRONG {composed.words()}: {wrong}", flush=True)
        if (number + 1) % TELL_EACH == 0:
            print(f"trials: {number + 1} done, {len(wrongs)} wrong", flush=True)
    restarts.finish()
    counted = on_record(trail, refused)
    print(f"made of: {dict(kinds)}; restarts: {restarts.done}")
    print(f"{count} trials, {len(wrongs)} wrong; refused {refused} times, and the records stand for {counted} (seed {seed})")
    promise(count < 200 or restarts.done, "there were restarts")
    return not wrongs and counted == refused


def on_record(trail, refused):
    """How many refusals the audit records stand for. The daemon may have to come back first."""
    counted = 0

    def enough(record):
        nonlocal counted
        if record["service"] == "hijacked" and record["verdict"] == "deny":
            counted += record["count"]
        return counted >= refused

    trail.wait_for(enough, 60)
    # One more second, in which too many would show.
    trail.wait_for(lambda record: enough(record) and False, 2)
    return counted
