# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The table of aliases: other names by which a protected object can be reached. Whatever the name, the verdict is the one
of the plain name.

An administrator makes all of them before there is a rule. In each row {name} is a word for it, {plain} a file made for it
in the protected directory {place}, {other} a path that no policy knows."""

import dataclasses
import os

from ground import AREA

PLACE = "/etc/security/e2e"
OTHERS = AREA / "aliases"
READ, WRITE = os.O_RDONLY, os.O_WRONLY
WORDS = {"place": PLACE, "long": "n" * 255, "longdir": "d" * 255, "deep": PLACE + "/d" * 200}


@dataclasses.dataclass
class Alias:
    """`by` is what the service does by the alias, `directly` what it does by the plain name."""

    name: str
    make: str = ":"  # for the shell of an administrator
    again: str = ":"  # the same, before the acts are performed a second time
    by: tuple = ("opened", "{other}", WRITE)
    directly: tuple = ("opened", "{plain}", WRITE)
    needs: str = "USERS_ADMIN"
    service: str = "lodger"

    @property
    def word(self):
        return self.name.replace(" ", "-")

    def filled(self, text):
        """Text, or an act, with the row's own paths."""
        if isinstance(text, (tuple, list)):
            return [self.filled(part) for part in text]
        if not isinstance(text, str):
            return text
        own = {"name": self.word, "plain": f"{PLACE}/{self.word}", "other": f"{OTHERS}/{self.word}"}
        for key, value in {**WORDS, **own}.items():
            text = text.replace("{" + key + "}", value)
        return text


def at(path, flags=WRITE):
    return ("opened", path, flags)


NAMES = [
    Alias("symlink", "ln -s {plain} {other}"),
    Alias("symlink to a directory", "ln -s {place} {other}", by=at("{other}/{name}")),
    Alias("symlinks in a row", "ln -s {other}-2 {other}; ln -s {other}-3 {other}-2; ln -s {plain} {other}-3"),
    Alias("dots in a path", by=at("/etc/../etc/./security/e2e/../e2e/{name}")),
    Alias("hard link", "ln {plain} {other}"),
    Alias("link below a renamed directory", "mkdir {other}; ln {plain} {other}/file; mv {other} {other}-2", by=at("{other}-2/file")),
    Alias("descriptor of the directory", by=("opened_below", "{place}", "{name}", WRITE)),
    Alias("root of a process", by=("opened_through_root", "{plain}", WRITE)),
    Alias("working directory of a process", by=at("/proc/self/cwd{plain}")),
    Alias("descriptor in proc", by=("reopened", "{plain}", WRITE)),
    Alias("handle of a file in use", by=("opened_by_handle", "{plain}", WRITE, True)),
    Alias("changed root", by=("in_root", "{place}", ["opened", "/{name}", WRITE])),
    Alias("name of 255 bytes", "mkdir {plain}.d; echo > {plain}.d/{long}; ln -s {plain}.d/{long} {other}", directly=at("{plain}.d/{long}")),
    Alias("directory with a name of 255 bytes", "mkdir {place}/{longdir}; echo > {place}/{longdir}/file; ln -s {place}/{longdir} {other}",
          by=at("{other}/file"), directly=at("{place}/{longdir}/file")),
    Alias("path 200 deep", "mkdir -p {deep}; echo > {deep}/file; ln -s {deep} {other}", by=at("{other}/file"), directly=at("{deep}/file")),
    Alias("program with alternatives", by=("execute", "/etc/alternatives/nc", "-h"), directly=("execute", "/usr/bin/nc.openbsd", "-h"),
          needs="NET"),
]

KINDS = [
    Alias("glob of a beginning", "echo > /var/log/syslog-e2e; ln -s /var/log/syslog-e2e {other}", directly=at("/var/log/syslog-e2e"),
          needs="SYSTEM_LOGS"),
    Alias("glob of an end", "echo > /etc/ssh/e2e_key; ln /etc/ssh/e2e_key {other}", by=at("{other}", READ),
          directly=at("/etc/ssh/e2e_key", READ), needs="SSH"),
    Alias("home of a user", "useradd -m -d /srv/e2e-home e2ehome; mkdir /srv/e2e-home/.ssh {other}; echo > /srv/e2e-home/.ssh/config; "
          "mount --bind /srv {other}", by=at("{other}/e2e-home/.ssh/config"), directly=at("/srv/e2e-home/.ssh/config"), needs="SSH"),
    Alias("proc mounted elsewhere", "mkdir {other}; mount -t proc e2e {other}", by=at("{other}/sys/kernel/core_pattern"),
          directly=at("/proc/sys/kernel/core_pattern"), needs="PRIVILEGED_PROCESSES"),
    Alias("tracefs mounted elsewhere", "mkdir {other}; mount -t tracefs e2e {other}; mountpoint -q /sys/kernel/tracing || "
          "mount -t tracefs e2e /sys/kernel/tracing", by=at("{other}/trace_marker"), directly=at("/sys/kernel/tracing/trace_marker"),
          needs="PRIVILEGED_PROCESSES"),
    Alias("disk under another name", "mknod {other} b $(stat -c '0x%t 0x%T' /dev/vda)", by=at("{other}", READ),
          directly=at("/dev/vda", READ), needs="PRIVILEGED_PROCESSES"),
    Alias("memory under another name", "mknod {other} c 1 1", by=at("{other}", READ), directly=at("/dev/mem", READ),
          needs="PRIVILEGED_PROCESSES"),
]

# Those that mount onto {plain} come first: a bind mount of the place would have what is mounted later, too.
ONTO = [
    Alias("file mounted onto a protected one", "echo > {other}; mount --bind {other} {plain}"),
    Alias("directory mounted onto a protected one", "mkdir {other} {plain}.d; echo > {other}/file; mount --bind {other} {plain}.d",
          by=at("{other}/file"), directly=at("{plain}.d/file")),
    Alias("tmpfs on a protected directory", "mkdir {plain}.d {other}; mount -t tmpfs e2e {plain}.d; echo > {plain}.d/file; "
          "mount --bind {plain}.d {other}", by=at("{other}/file"), directly=at("{plain}.d/file")),
    Alias("file system of its own", "truncate -s 4M {other}.img; mke2fs -q -t ext4 {other}.img; mkdir {other}; mount {other}.img {other}; "
          "mkdir -p {other}/cron/e2e; echo > {other}/cron/e2e/job; mount $(findmnt -no SOURCE {other}) /var/spool",
          by=at("{other}/cron/e2e/job"), directly=at("/var/spool/cron/e2e/job"), needs="SERVICE_OPERATOR"),
    Alias("detached mount", by=("opened_in_detached", "{place}", "{name}", WRITE)),
]


def overlay(lower, upper, work, onto="{other}"):
    return f"mount -t overlay e2e -o lowerdir={lower},upperdir={upper},workdir={work} {onto}"


COPY_UP = overlay("{other}-l", "{plain}.d", "{plain}.w")

OVERLAYS = [
    Alias("overlay of a protected directory", "mkdir {other} {other}-u {other}-w; " + overlay("/etc/sudoers.d", "{other}-u", "{other}-w"),
          by=at("{other}/README", READ), directly=at("/etc/sudoers.d/README", READ)),
    Alias("overlay that writes to a protected directory", "mkdir {other} {other}-l {plain}.d {plain}.w; echo > {plain}.d/file; "
          + COPY_UP, by=at("{other}/file"), directly=at("{plain}.d/file")),
    Alias("copy up to a protected directory", "mkdir {other} {other}-l {plain}.d {plain}.w; echo > {other}-l/file; " + COPY_UP,
          again="umount {other}; rm {plain}.d/file; " + COPY_UP, by=at("{other}/file"), directly=at("{plain}.d/other", WRITE | os.O_CREAT)),
    Alias("overlay on a protected directory", "mkdir {other} {other}-u {other}-w {plain}.d; echo > {other}-u/file; "
          + overlay("{other}", "{other}-u", "{other}-w", "{plain}.d"), by=at("{other}-u/file"), directly=at("{plain}.d/file")),
]

BOUND = [
    Alias("bind mount of a file", "touch {other}; mount --bind {plain} {other}"),
    Alias("bind mount of a directory", "mkdir {other}; mount --bind {place} {other}", by=at("{other}/{name}")),
    Alias("bind mount of a directory above", "mkdir {other}; mount --bind /etc {other}", by=at("{other}/security/e2e/{name}")),
    Alias("bind mount of a bind mount", "touch {other} {other}-2; mount --bind {plain} {other}-2; mount --bind {other}-2 {other}"),
    Alias("recursive bind mount", "mkdir {plain}.d {other}; mount -t tmpfs e2e {plain}.d; echo > {plain}.d/file; "
          "mount --rbind {place} {other}",
          by=at("{other}/{name}.d/file"), directly=at("{plain}.d/file")),
    Alias("moved mount", "mkdir {other}; mount -t tmpfs e2e {other}; mount --make-private {other}; mkdir {other}/a {other}/b; "
          "mount --bind {place} {other}/a; mount --move {other}/a {other}/b", by=at("{other}/b/{name}")),
    Alias("own mount namespace", "touch {other}", by=("in_own_namespace", False, "{plain}", "{other}", ["opened", "{other}", WRITE])),
    Alias("own user namespace", "touch {other}", by=("in_own_namespace", True, "{plain}", "{other}", ["opened", "{other}", WRITE])),
]

# Services with a mount namespace of systemd's making; each has its rows.
STRICT = ["PrivateTmp=yes", "ProtectSystem=strict", "ReadWritePaths=/etc/security", "ProtectHome=tmpfs", "PrivateUsers=yes",
          "ReadOnlyPaths=/etc/ssh", f"BindPaths={PLACE}:/srv/e2e-bound"]
ROOT = OTHERS / "newroot"
ROOTED = [f"RootDirectory={ROOT}", "MountAPIVFS=yes", "BindReadOnlyPaths=/usr", "BindReadOnlyPaths=/opt", "BindPaths=/etc:/hostetc"]
NEW_ROOT = f"mkdir -p {ROOT}/etc; for i in bin sbin lib lib64; do ln -s usr/$i {ROOT}/$i; done; echo x > {ROOT}/etc/passwd"
SANDBOXES = {"lodger-strict": STRICT, "lodger-rooted": ROOTED}

SANDBOXED = [
    Alias("ProtectSystem", by=at("{plain}"), service="lodger-strict"),
    Alias("BindPaths", by=at("/srv/e2e-bound/{name}"), service="lodger-strict"),
    Alias("ReadOnlyPaths", "echo > /etc/ssh/e2e2_key", by=at("/etc/ssh/e2e2_key", READ), directly=at("/etc/ssh/e2e2_key", READ),
          needs="SSH", service="lodger-strict"),
    Alias("RootDirectory", by=at("/hostetc/security/e2e/{name}"), directly=at("/hostetc/../hostetc/security/e2e/{name}"),
          service="lodger-rooted"),
]

GROUPS = {"names": NAMES, "kinds": KINDS, "mounts": ONTO + OVERLAYS + BOUND, "sandboxes": SANDBOXED}
ALL = [row for group in GROUPS.values() for row in group]
