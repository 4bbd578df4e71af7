# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The benchmark's policy in the words of others: what USERS_ADMIN names in Bartizan's own catalogue becomes an AppArmor
profile, fapolicyd's rules and auditd's watches.

They cannot all say the same. fapolicyd and auditd do not know services, so theirs hold for every task; fapolicyd does not
tell reading from writing, so it denies what Bartizan denies for reading; none of them denies an address."""

import hashlib
import pathlib
import tomllib

CATALOGUE = pathlib.Path("/root/bench/users_admin.toml")
KEY = "bartizan"
PROGRAMS = ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin")
FAPOLICYD = pathlib.Path("/etc/fapolicyd")
# Debian's configuration holds but for these: the files are on ext4, and there is no rpm.
CHANGED = {"watch_fs": "ext4", "trust": "file"}



def capability():
    """What USERS_ADMIN names: programs, and paths for reading and writing."""
    entries = tomllib.loads(CATALOGUE.read_text())["entries"]
    return tuple([name for one in entries for name in one.get(key, [])] for key in ("executables", "read", "write"))


def installed():
    """Its programs that this guest has."""
    names, _, _ = capability()
    return sorted(str(path) for folder in PROGRAMS for name in names if (path := pathlib.Path(folder, name)).is_file())


def profile():
    """Everything is allowed, and what USERS_ADMIN needs is denied, with a record."""
    names, read, write = capability()
    lines = ["file,", "capability,", "network,", "unix,", "signal,", "ptrace,", "mount,", "umount,", "pivot_root,", "dbus,"]
    lines += [f"audit deny {folder}/{name} x," for folder in PROGRAMS for name in names]
    lines += [f"audit deny {path} r," for path in read] + [f"audit deny {path} wl," for path in write]
    return "profile acts flags=(attach_disconnected) {\n" + "".join(f"  {line}\n" for line in lines) + "}\n"


def fapolicyd():
    """Its files, with their lines. The trust database holds one file, since building the whole takes minutes here."""
    _, read, _ = capability()
    rules = [f"deny perm=execute all : path={path}" for path in installed()]
    rules += [f"deny perm=open all : dir={path.removesuffix('**')}" if path.endswith("/**") else f"deny perm=open all : path={path}"
              for path in read]
    lines = (FAPOLICYD / "fapolicyd.conf").read_text().splitlines()
    names = [line.partition("=")[0].strip() for line in lines]
    settings = [f"{name} = {CHANGED[name]}" if name in CHANGED else line for name, line in zip(names, lines)]
    trusted = pathlib.Path("/usr/bin/true").read_bytes()
    return {FAPOLICYD / "fapolicyd.conf": settings, FAPOLICYD / "compiled.rules": [*rules, "allow perm=any all : all"],
            FAPOLICYD / "fapolicyd.trust": [f"/usr/bin/true {len(trusted)} {hashlib.sha256(trusted).hexdigest()}"]}


def watches():
    """One for each name whose directory is there, with the accesses that matter."""
    _, read, write = capability()
    accesses = {}
    for paths, letters in ((installed(), "x"), (read, "r"), (write, "wa")):
        for path in paths:
            plain = pathlib.Path(path.removesuffix("/**"))
            if plain.parent.is_dir():
                accesses.setdefault(plain, []).append(letters)
    return [["-w", str(path), "-p", "".join(letters), "-k", KEY] for path, letters in accesses.items()]
