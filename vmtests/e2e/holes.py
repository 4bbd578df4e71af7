# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Ways round a path that were shown in prototypes: other names, other mounts, moved directories."""

import contextlib
import os
import pathlib

from ground import AREA, CLERK_RULE, RULE, SECOND, clerk, rules_hold, victim
from audit import record
from stage import must, promise, wait_for
from suite import test

SECONDS_OF_RACE = 300 if os.environ.get("BARTIZAN_SOAK") else 8


def writes(path):
    return victim.one("opened", str(path), os.O_WRONLY)


@contextlib.contextmanager
def mounted(source, target):
    """A bind mount made by an administrator."""
    must("mount", "--bind", str(source), str(target))
    try:
        yield
    finally:
        must("umount", str(target))


@test
def hard_link_from_before_the_rule():
    rules_hold()
    victim.must_deny("opened", str(SECOND), os.O_WRONLY)
    victim.must_deny("truncate", str(SECOND), 0)


@test
def hard_link_made_by_an_administrator():
    rules_hold()
    fresh = AREA / "fresh-name"
    fresh.unlink(missing_ok=True)
    os.link("/etc/gshadow-", fresh)
    victim.must_deny("opened", str(fresh), os.O_WRONLY)
    victim.must_deny("opened", str(fresh), os.O_RDONLY)


@test
def hard_link_and_protected_name_in_turn():
    rules_hold()
    forbidden = [str(SECOND), "/etc/subgid"]
    allowed = [str(AREA / "unrelated"), str(AREA / "unrelated-too")]
    for path, done, wrong in victim.one("race", SECONDS_OF_RACE, forbidden, allowed):
        promise(done > 100, f"{path} was opened again and again: {done} times")
        promise(wrong == 0, f"no wrong verdict about {path}: {wrong} of {done}")


@test
def directory_mounted_onto_a_protected_one():
    rules_hold()
    real = AREA / "real"
    real.mkdir(exist_ok=True)
    (real / "sudoer").write_text("# nothing\n")
    promise(writes(real / "sudoer") == "ok", "an ordinary directory may be written")
    with mounted(real, "/etc/sudoers.d"):
        # Where the label of a path starts is compiled from the host's mounts, which takes a moment.
        wait_for("what is mounted onto it is protected", lambda: writes("/etc/sudoers.d/sudoer") == "EPERM")
        victim.must_deny("opened", "/etc/sudoers.d/new", os.O_WRONLY | os.O_CREAT)
        promise(not (real / "new").exists(), "a refused creation leaves nothing")
    wait_for("after the unmount it is an ordinary directory again", lambda: writes(real / "sudoer") == "ok")
    victim.must_deny("opened", "/etc/sudoers.d/new", os.O_WRONLY | os.O_CREAT)


@test
def protected_file_mounted_elsewhere():
    rules_hold()
    alias = AREA / "alias"
    alias.write_text("")
    with mounted("/etc/gshadow", alias):
        victim.must_deny("opened", str(alias), os.O_RDONLY)
        victim.must_deny("opened", str(alias), os.O_WRONLY)
        record("Service victim attempted to obtain capability USERS_ADMIN by reading /etc/gshadow", rule=RULE, verdict="deny")


@test
def protected_directory_mounted_elsewhere():
    rules_hold()
    alias = AREA / "alias.d"
    alias.mkdir(exist_ok=True)
    with mounted("/etc", alias):
        victim.must_deny("opened", str(alias / "passwd"), os.O_WRONLY)
        victim.must_deny("rename", str(alias / "passwd-"), str(alias / "passwd"))
        victim.must_allow("opened", str(alias / "passwd"), os.O_RDONLY)


def innocent(name):
    """A directory whose file the victim has written, so that the kernel keeps a label of it."""
    directory = AREA / name
    directory.mkdir(exist_ok=True)
    (directory / "authorized_keys").write_text("")
    promise(writes(directory / "authorized_keys") == "ok", "an innocent directory may be written")
    return directory


@test
def innocent_directory_moved_into_the_policy():
    rules_hold()
    directory, place, aside = innocent("innocent"), pathlib.Path("/root/.ssh"), pathlib.Path("/root/.ssh.e2e")
    place.rename(aside)
    try:
        directory.rename(place)
        inside = writes(place / "authorized_keys")
        place.rename(directory)
        outside = writes(directory / "authorized_keys")
    finally:
        aside.rename(place)
    promise(inside == "EPERM", f"moved to /root/.ssh, its file is protected at once: {inside}")
    promise(outside == "ok", f"moved out again, it is not: {outside}")


@test
def innocent_directory_exchanged_into_the_policy():
    rules_hold()
    directory, place = innocent("exchanged"), "/etc/security"
    # The session is not governed, so it may; twice is as before.
    exchange = ["python3", "-c", "import ctypes, sys; sys.exit(ctypes.CDLL(None).syscall(316, -100, sys.argv[1].encode(), "
                "-100, sys.argv[2].encode(), 2) != 0)", str(directory), place]
    must(*exchange)
    inside, outside = writes(f"{place}/authorized_keys"), writes(directory / "access.conf")
    must(*exchange)
    promise(inside == "EPERM", f"exchanged into the policy, its file is protected at once: {inside}")
    promise(outside == "ok", f"what was exchanged out of the policy is not: {outside}")
    victim.must_deny("opened", f"{place}/access.conf", os.O_WRONLY)


@test
def directory_above_moved_into_the_policy():
    rules_hold()
    # /root/.config/systemd/user is not prevented, /root/.ssh is: the moved directory is the parent of one called .ssh.
    home = AREA / "home"
    (home / ".ssh").mkdir(parents=True, exist_ok=True)
    (home / ".ssh/config").write_text("")
    promise(writes(home / ".ssh/config") == "ok", "a home that nobody has may be written")
    os.rename("/root", "/root.e2e")
    try:
        os.rename(f"/root.e2e/{AREA.name}/home", "/root")
        inside = writes("/root/.ssh/config")
        os.rename("/root", f"/root.e2e/{AREA.name}/home")
    finally:
        os.rename("/root.e2e", "/root")
    promise(inside == "EPERM", f"as root's home its .ssh is protected at once: {inside}")
    promise(writes(home / ".ssh/config") == "ok", "back in its place it is not")


@test
def administrator_replaces_a_protected_file():
    rules_hold()
    fresh = AREA / "shells"
    fresh.write_bytes(pathlib.Path("/etc/shells").read_bytes())
    promise(writes(fresh) == "ok", "the new file may be written while it is elsewhere")
    fresh.rename("/etc/shells")
    victim.must_deny("opened", "/etc/shells", os.O_WRONLY)
    os.rename("/etc/shells", fresh)
    after = writes(fresh)
    fresh.rename("/etc/shells")
    promise(after == "ok", f"renamed out of the policy, a file is an ordinary one again: {after}")


@test
def file_with_two_names_moved_into_the_policy():
    rules_hold()
    one, other, place = AREA / "twin", AREA / "other-twin", pathlib.Path("/etc/sudoers.d/twin")
    one.write_text("# nothing\n")
    os.link(one, other)
    promise(writes(other) == "ok", "an innocent file may be written by both its names")
    one.rename(place)
    try:
        after = writes(other)
    finally:
        place.unlink()
        other.unlink()
    promise(after == "EPERM", f"now that it is a sudoer's file, it may not be written by its other name: {after}")


@test
def number_of_a_protected_file_that_is_used_again():
    """Two of 10,000 random trials found what had been a protected file's number refused, once another file had it."""
    rules_hold()
    place, other = pathlib.Path("/etc/sudoers.d/numbered"), AREA / "numbered"
    place.write_text("# nothing\n")
    os.link(place, other)
    number = place.stat().st_ino
    (AREA / "mounted").mkdir(exist_ok=True)
    # The policy is compiled anew for a mount, and the files with several names are looked for.
    must("mount", "-t", "tmpfs", "e2e-numbers", str(AREA / "mounted"))
    innocents = []
    try:
        must("bartizan", "policy", "apply")
        place.unlink()
        other.unlink()
        for each in range(1000):
            innocents.append(AREA / f"innocent-{each}")
            innocents[-1].write_text("")
            if innocents[-1].stat().st_ino == number:
                break
        else:
            raise AssertionError(f"number {number} is used again")
        innocents.append(AREA / "innocent-too")
        os.link(innocents[-2], innocents[-1])
        answers = [writes(innocents[-2]), writes(innocents[-1])]
    finally:
        must("umount", str(AREA / "mounted"))
        for path in innocents:
            path.unlink(missing_ok=True)
    promise(answers == ["ok", "ok"], f"an innocent file may be written by both its names: {answers}")


@test
def directory_moved_to_where_a_home_is_missing():
    rules_hold()
    home = "/home/e2e-missing"
    must("useradd", "-M", "-d", home, "e2e-missing")
    try:
        must("bartizan", "policy", "apply")
        (AREA / "planted/.ssh").mkdir(parents=True, exist_ok=True)
        (AREA / "planted/.ssh/authorized_keys").write_text("")
        os.makedirs("/home", exist_ok=True)
        victim.must_deny("rename", str(AREA / "planted"), home)
        victim.must_deny("symlink", str(AREA / "planted"), home)
        # A symbolic link that is there already leads below the new name just so.
        pointer = AREA / "pointer"
        pointer.unlink(missing_ok=True)
        pointer.symlink_to(AREA / "planted")
        victim.must_deny("rename", str(pointer), home)
        victim.must_deny("link", str(pointer), home)
        promise(not os.path.lexists(home), "a refused act leaves nothing")
    finally:
        must("userdel", "e2e-missing")
        must("bartizan", "policy", "apply")


@test
def mounting_over_a_protected_directory():
    rules_hold()
    # No rule prevents that the clerk mounts; what it would cover is another matter.
    clerk.must_deny("mount_tmpfs", "/etc/pam.d")
    record("Service clerk attempted to obtain capability USERS_ADMIN by writing /etc/pam.d", rule=CLERK_RULE, verdict="deny")
