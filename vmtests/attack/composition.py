# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What a random trial is made of, told by its seed and number alone: an object, a name for it, a way to it, a race, a restart."""

import dataclasses
import os
import random

# Each of these protects whatever is in it from being written; the first from being read too.
PLACES = ["/etc/sudoers.d", "/etc/security", "/etc/cron.d", "/etc/profile.d", "/root/.ssh", "/etc/sysctl.d", "/etc/ld.so.conf.d"]
READABLE_TOO = PLACES[1:]
# Names that lead to the protected name, and names of the inode itself: what is replaced is another inode.
BY_NAME = ["its name", "a name with dots", "/proc/self/root", "a symbolic link", "a directory by a symbolic link"]
BY_INODE = ["a hard link made afterwards", "the name it had before", "a bind mount of it", "a bind mount of its directory"]
OPENS = [os.O_WRONLY, os.O_RDWR | os.O_APPEND, os.O_RDONLY | os.O_TRUNC]
CHANGES = [["truncate", 0], ["chmod", 0o640], ["utime", [1, 1]]]
WAYS = ["by its name", "by_descriptor", "by_handle", "by_ring", "from another cgroup"]
RACES = ["none", "none", "other names opened", "its directory moved", "it is replaced", "it is exchanged", "labels dropped"]
RESTARTS = ["SIGKILL", "restart", "policy applied", "the service restarts"]
RESTART_ONE_IN = 40


@dataclasses.dataclass(frozen=True)
class Composition:
    """One trial."""

    number: int
    place: str
    alias: str
    way: str
    act: tuple
    race: str
    restart: str

    def words(self):
        return (f"trial {self.number}: {self.act} on a file of {self.place} by {self.alias}, {self.way}; race: {self.race}; "
                f"restart: {self.restart or 'none'}")

    def other_place(self):
        """Where a file is protected like this one; what is read is protected in its own place only."""
        if self.act == ("opened", os.O_RDONLY):
            return self.place
        return PLACES[(PLACES.index(self.place) + 1) % len(PLACES)]

    def request(self, path):
        """The act on a path, as victim.perform wants it."""
        name, *more = self.act
        return [self.way if self.way.startswith("by_") else name, path, *more]


def compose(seed, number):
    choose = random.Random(f"{seed}:{number}")
    place = choose.choice(PLACES)
    alias = choose.choice(BY_NAME + BY_INODE)
    way = choose.choice(WAYS)
    reading = [["opened", os.O_RDONLY]] if place not in READABLE_TOO else []
    acts = [["opened", flags] for flags in OPENS] + reading
    if way in ("by its name", "from another cgroup"):
        acts += CHANGES
    race = choose.choice(RACES)
    if alias in BY_INODE and race == "it is replaced":
        race = "labels dropped"
    restart = choose.choice(RESTARTS) if choose.randrange(RESTART_ONE_IN) == 0 else ""
    return Composition(number, place, alias, way, tuple(choose.choice(acts)), race, restart)
