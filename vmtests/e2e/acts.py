# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The table of acts: what the victim does, what the record then says, and what must be unchanged."""

import dataclasses
import os
import pathlib
import time
import typing

from ground import AREA

USERADD = "/usr/sbin/useradd"


@dataclasses.dataclass
class Act:
    """One act that succeeds without a rule and is refused with one."""

    name: str
    act: list
    message: str  # behind "Service victim attempted "
    paths: tuple = ()
    before: typing.Callable = lambda: None  # brings what the act needs
    after: typing.Callable = lambda: None  # takes away what the act left, beside the paths
    refused: str = "EPERM"  # the kernel may answer in its own words
    uid: int = 0


def capability(name, words):
    return f"to obtain capability {name} by {words}"


def users(words):
    return capability("USERS_ADMIN", words)


def file(path, text="made for the end-to-end tests\n"):
    """Brings a file into being."""

    def make():
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        # A new inode each time: one that had a protected name before may be held to it.
        pathlib.Path(path).unlink(missing_ok=True)
        pathlib.Path(path).write_text(text)

    return make


def twin(path, name):
    """Brings a copy of a file, which may take its place without harm."""
    return lambda: (AREA / name).write_bytes(pathlib.Path(path).read_bytes())


def directory(path):
    return lambda: pathlib.Path(path).mkdir(parents=True, exist_ok=True)


def here(name):
    return str(AREA / name)


FILES = [
    Act("open for writing", ["opened", "/etc/passwd", os.O_WRONLY], users("writing /etc/passwd"), ("/etc/passwd",)),
    Act("open for reading and writing", ["opened", "/etc/group", os.O_RDWR], users("writing /etc/group"), ("/etc/group",)),
    Act("append", ["append", "/etc/sudoers.d/e2e", "# more\n"], users("writing /etc/sudoers.d/e2e"),
        ("/etc/sudoers.d/e2e",), before=file("/etc/sudoers.d/e2e", "# nothing\n")),
    Act("truncate", ["truncate", "/etc/shells", 0], users("writing /etc/shells"), ("/etc/shells",)),
    Act("O_RDONLY with O_TRUNC", ["opened", "/etc/login.defs", os.O_RDONLY | os.O_TRUNC],
        users("writing /etc/login.defs"), ("/etc/login.defs",)),
    Act("create", ["opened", "/etc/sudoers.d/mallory", os.O_WRONLY | os.O_CREAT], users("writing /etc/sudoers.d/mallory"),
        ("/etc/sudoers.d/mallory", "/etc/sudoers.d")),
    Act("make a directory", ["mkdir", "/etc/sudoers.d/e2e.d"], users("writing /etc/sudoers.d/e2e.d"), ("/etc/sudoers.d/e2e.d",)),
    Act("make a symbolic link", ["symlink", here("evil"), "/etc/sudoers.d/evil"], users("writing /etc/sudoers.d/evil"),
        ("/etc/sudoers.d/evil",)),
    Act("make a node", ["mknod", "/etc/sudoers.d/pipe", 0o10600], users("writing /etc/sudoers.d/pipe"), ("/etc/sudoers.d/pipe",)),
    Act("rename over", ["rename", here("passwd"), "/etc/passwd"], users("writing /etc/passwd"),
        ("/etc/passwd", here("passwd")), before=twin("/etc/passwd", "passwd")),
    Act("rename away", ["rename", "/etc/passwd-", here("away")], users("writing /etc/passwd-"),
        ("/etc/passwd-", here("away")), before=file("/etc/passwd-")),
    Act("exchange of two names", ["exchange", here("subuid"), "/etc/subuid"], users("writing /etc/subuid"),
        ("/etc/subuid", here("subuid")), before=twin("/etc/subuid", "subuid")),
    Act("link from", ["link", "/etc/gshadow", here("gshadow")], users("writing /etc/gshadow"),
        ("/etc/gshadow", here("gshadow"))),
    Act("link to", ["link", here("plain"), "/etc/sudoers.d/linked"], users("writing /etc/sudoers.d/linked"),
        ("/etc/sudoers.d/linked", here("plain")), before=file(here("plain"))),
    Act("unlink", ["unlink", "/etc/security/e2e.conf"], users("writing /etc/security/e2e.conf"),
        ("/etc/security/e2e.conf",), before=file("/etc/security/e2e.conf")),
    Act("chmod", ["chmod", "/etc/ssh/sshd_config", 0o666], capability("SSH", "writing /etc/ssh/sshd_config"),
        ("/etc/ssh/sshd_config",)),
    Act("chown", ["chown", "/etc/ssh/moduli", 1, 1], capability("SSH", "writing /etc/ssh/moduli"), ("/etc/ssh/moduli",),
        before=file("/etc/ssh/moduli")),
    Act("change of times", ["utime", "/etc/subgid", [1, 1]], users("writing /etc/subgid"), ("/etc/subgid",)),
    Act("read", ["opened", "/etc/shadow", os.O_RDONLY], users("reading /etc/shadow"), ("/etc/shadow",)),
    Act("rename of a protected directory", ["there_and_back", "/etc/pam.d"], users("writing /etc/pam.d"), ("/etc/pam.d",)),
    Act("rename of a directory above protected names", ["there_and_back", "/root"], capability("SSH", "writing /root")),
    Act("rmdir of a protected directory", ["rmdir", "/etc/security/e2e.d"], users("writing /etc/security/e2e.d"),
        ("/etc/security/e2e.d",), before=directory("/etc/security/e2e.d")),
]

PROGRAMS = [
    Act("execution", ["execute", USERADD, "--help"], users(f"executing {USERADD}"), (USERADD,)),
    Act("execution through a symbolic link", ["execute", here("pwck"), "--help"], users("executing /usr/sbin/pwck"),
        before=lambda: os.path.lexists(here("pwck")) or os.symlink("/usr/sbin/pwck", here("pwck"))),
    Act("execution through a descriptor", ["execute_descriptor", "/usr/sbin/groupadd"], users("executing /usr/sbin/groupadd")),
    Act("execution as an interpreter", ["execute", here("script")], users("executing /usr/sbin/userdel"),
        before=lambda: (file(here("script"), "#!/usr/sbin/userdel --help\n")(), os.chmod(here("script"), 0o755))),
]

ADDRESSES = [
    Act("IPv4", ["connect", "AF_INET", "SOCK_STREAM", "203.0.113.7", 25], "an outbound connection to 203.0.113.7:25/tcp"),
    Act("IPv4 on an IPv6 socket", ["connect", "AF_INET6", "SOCK_STREAM", "::ffff:203.0.113.8", 25],
        "an outbound connection to 203.0.113.8:25/tcp"),
    Act("UDP", ["connect", "AF_INET", "SOCK_DGRAM", "203.0.113.7", 25], "an outbound connection to 203.0.113.7:25/udp"),
    Act("IPv6", ["connect", "AF_INET6", "SOCK_STREAM", "2001:db8::1", 443], "an outbound connection to [2001:db8::1]:443/tcp"),
]


def told():
    """A record of what is mounted for a moment only has no path of the host unless the daemon reads it in time."""
    time.sleep(1)


def mounting(path):
    return capability("PRIVILEGED_PROCESSES", f"performing mount on {path}")


def unmounted(path):
    """Takes a mount away again, if there is one."""
    return lambda: os.system(f"umount -q {path} 2>/dev/null")


OPERATIONS = [
    Act("mount", ["mount_tmpfs", here("tmpfs")], mounting(here("tmpfs")), before=directory(here("tmpfs")),
        after=unmounted(here("tmpfs"))),
    Act("bind mount", ["bind", "/etc", here("bound")], mounting(here("bound")), before=directory(here("bound")),
        after=unmounted(here("bound"))),
    Act("bind mount by descriptor", ["bind_by_descriptor", "/etc", here("moved")], mounting(here("moved")),
        before=directory(here("moved")), after=unmounted(here("moved"))),
    Act("unmount", ["unmount", here("mounted")], capability("PRIVILEGED_PROCESSES", f"performing umount on {here('mounted')}"),
        before=lambda: (directory(here("mounted"))(), os.system(f"mount -t tmpfs e2e {here('mounted')}")),
        after=lambda: (told(), unmounted(here("mounted"))())),
    Act("mount over a protected directory", ["mount_tmpfs", "/etc/pam.d"], mounting("/etc/pam.d"), ("/etc/pam.d",),
        after=unmounted("/etc/pam.d")),
    Act("connection to a socket", ["connect_unix", "/run/docker.sock"],
        capability("DOCKER_SOCKET", "connecting to /run/docker.sock")),
]

ALL = FILES + PROGRAMS + ADDRESSES + OPERATIONS
