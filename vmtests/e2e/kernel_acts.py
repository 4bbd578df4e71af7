# SPDX-License-Identifier: Apache-2.0 OR MIT
"""More of the table of acts: what a service makes executable or runs that it made, and what it asks of the kernel."""

import os
import pathlib
import stat
import subprocess

from acts import Act, capability, directory, file, here, told, unmounted, users

# A set-user-id program and one with file capabilities, which anybody may start.
SUID, FCAP = "/opt/e2e-suid", "/opt/e2e-fcap"
NOBODY = 65534
LIBRARY = "/usr/lib/x86_64-linux-gnu/libz.so.1"
# Version 2, effective; CAP_NET_RAW.
NET_RAW = "0100000200200000" + "00" * 12
# Version 2; the owner may read and write, user 1 may do all, and the mask lets it.
USER_MAY_EXECUTE = "02000000" + "01000600ffffffff" + "0200070001000000" + "04000400ffffffff" + "10000700ffffffff" + "20000400ffffffff"


def installer(words):
    return capability("INSTALLER", words)


def privileged(words):
    return capability("PRIVILEGED_PROCESSES", words)


def performed(operation, on=""):
    return privileged(f"performing {operation} on {on}" if on else f"performing {operation}")


def program(path):
    """Brings a program into being: an administrator's, which no service wrote."""

    def make():
        file(path, "#!/bin/true\n")()
        os.chmod(path, 0o755)

    return make


def both(*makers):
    return lambda: [make() for make in makers]


def copied(path, mode=0o755, attribute=None):
    """A program of its own, with a set-user-id bit or capabilities."""

    def make():
        pathlib.Path(path).unlink(missing_ok=True)
        pathlib.Path(path).write_bytes(pathlib.Path("/usr/bin/true").read_bytes())
        os.chmod(path, mode)
        if attribute:
            os.setxattr(path, "security.capability", bytes.fromhex(attribute))

    return make


def node(path, kind, major, minor):
    def make():
        pathlib.Path(path).unlink(missing_ok=True)
        os.mknod(path, kind | 0o600, os.makedev(major, minor))

    return make


def gone(path):
    return lambda: pathlib.Path(path).unlink(missing_ok=True)


def attributed(path):
    return both(file(path), lambda: os.setxattr(path, "user.e2e", b"1"))


def listed(path):
    return both(file(path), lambda: os.setxattr(path, "system.posix_acl_access", bytes.fromhex(USER_MAY_EXECUTE)))


def pid_of(unit):
    return int(subprocess.run(["systemctl", "show", "-p", "MainPID", "--value", unit], capture_output=True, check=True).stdout)


def a_module():
    """A module that nothing needs."""
    found = sorted(pathlib.Path(f"/lib/modules/{os.uname().release}/kernel/drivers/net").glob("dummy.ko*"))
    return str(found[0].resolve())


DISK = os.stat("/dev/vda").st_rdev

INSTALLING = [
    Act("create a program", ["opened", here("made"), os.O_WRONLY | os.O_CREAT, 0o755], installer(f"writing {here('made')}"),
        (here("made"),)),
    Act("make a node that is a program", ["mknod", here("node"), stat.S_IFREG | 0o755], installer(f"writing {here('node')}"),
        (here("node"),)),
    Act("chmod to a program", ["chmod", here("tool"), 0o755], installer(f"writing {here('tool')}"), (here("tool"),),
        before=file(here("tool"))),
    Act("access list that lets execute", ["setxattr", here("listed"), "system.posix_acl_access", USER_MAY_EXECUTE],
        installer(f"writing {here('listed')}"), (here("listed"),), before=file(here("listed"))),
    Act("write to a program", ["opened", here("program"), os.O_WRONLY], installer(f"writing {here('program')}"),
        (here("program"),), before=program(here("program"))),
    Act("rename onto a program", ["rename", here("fresh"), here("old")], installer(f"writing {here('old')}"),
        (here("fresh"), here("old")), before=both(file(here("fresh")), program(here("old")))),
    Act("rename of a program", ["rename", here("here"), here("there")], installer(f"writing {here('here')}"),
        (here("here"), here("there")), before=program(here("here"))),
    Act("link of a program", ["link", here("one"), here("two")], installer(f"writing {here('one')}"),
        (here("one"), here("two")), before=program(here("one"))),
    Act("execution without a name", ["memfd", "/usr/bin/true"], installer("executing memfd:e2e")),
    Act("mapping of what it wrote", ["write_and_map", LIBRARY, here("lib.so")], installer(f"executing {here('lib.so')}"),
        after=gone(here("lib.so"))),
    Act("mprotect of what it wrote", ["write_and_map", LIBRARY, here("later.so"), True], installer(f"executing {here('later.so')}"),
        after=gone(here("later.so"))),
    Act("mapping of a program, as ld.so does", ["mapped", "/usr/sbin/groupmod"], users("executing /usr/sbin/groupmod")),
]

PRIVILEGES = [
    Act("set-user-id", ["chmod", here("suid"), 0o4755], privileged(f"writing {here('suid')}"), (here("suid"),),
        before=program(here("suid"))),
    Act("file capabilities", ["setxattr", here("fcap"), "security.capability", NET_RAW], privileged(f"writing {here('fcap')}"),
        (here("fcap"),), before=program(here("fcap"))),
    Act("set an attribute", ["setxattr", "/etc/sudoers.d/set", "user.e2e", "31"], users("writing /etc/sudoers.d/set"),
        ("/etc/sudoers.d/set",), before=file("/etc/sudoers.d/set")),
    Act("remove an attribute", ["removexattr", "/etc/sudoers.d/removed", "user.e2e"], users("writing /etc/sudoers.d/removed"),
        ("/etc/sudoers.d/removed",), before=attributed("/etc/sudoers.d/removed")),
    Act("remove an access list", ["removexattr", "/etc/sudoers.d/unlisted", "system.posix_acl_access"],
        users("writing /etc/sudoers.d/unlisted"), ("/etc/sudoers.d/unlisted",), before=listed("/etc/sudoers.d/unlisted")),
    Act("make a node of a disk", ["mknod", here("disk"), stat.S_IFBLK | 0o600, DISK], privileged(f"writing {here('disk')}"),
        (here("disk"),)),
    Act("read a disk by another node", ["opened", here("vda"), os.O_RDONLY], privileged(f"reading {here('vda')}"),
        before=node(here("vda"), stat.S_IFBLK, os.major(DISK), os.minor(DISK)), after=gone(here("vda"))),
    Act("start a set-user-id program", ["as_nobody", SUID], performed("privilege", SUID), before=copied(SUID, 0o4755),
        after=gone(SUID), uid=NOBODY),
    Act("start a program with capabilities", ["as_nobody", FCAP], performed("privilege", FCAP),
        before=copied(FCAP, attribute=NET_RAW), after=gone(FCAP), uid=NOBODY),
]

KERNEL = [
    Act("ptrace", ["attach", pid_of("nginx")], performed("ptrace", "/usr/sbin/nginx")),
    Act("the memory of a process", ["memory", pid_of("cron"), os.O_RDONLY], performed("ptrace", "/usr/sbin/cron"),
        refused="EACCES"),
    Act("load a module", ["module", a_module()], performed("module", a_module()),
        after=lambda: subprocess.run(["rmmod", "dummy"], stderr=subprocess.DEVNULL, check=False)),
    Act("load a module from memory", ["module_from_memory", a_module()], performed("module"),
        after=lambda: subprocess.run(["rmmod", "dummy"], stderr=subprocess.DEVNULL, check=False)),
    Act("make a BPF map", ["bpf_map"], performed("bpf")),
    Act("read the kernel's log", ["kernel_log"], capability("SYSTEM_LOGS", "performing kernel_log")),
    Act("shift the clock", ["shift_clock"], capability("HOSTS_CONFIG", "performing clock")),
    Act("reboot", ["no_keyboard_reboot"], performed("reboot")),
    Act("ask for a port of the machine", ["port"], performed("raw_io")),
    Act("chroot", ["chroot", here("root")], performed("chroot", here("root")), before=directory(here("root"))),
    Act("make a user namespace", ["user_namespace"], performed("user_namespace")),
    # Only below private mounts may the root be exchanged.
    Act("pivot_root", ["pivot_root", here("pivot")], performed("pivot_root", here("pivot")),
        before=both(directory(here("pivot")), lambda: os.system(f"mount --make-private / && mount -t tmpfs e2e {here('pivot')}")),
        after=both(told, unmounted(here("pivot")), lambda: os.system("mount --make-shared /"))),
    Act("remount", ["remount", here("remounted")], performed("remount", here("remounted")),
        before=both(directory(here("remounted")), lambda: os.system(f"mount -t tmpfs e2e {here('remounted')}")),
        after=both(told, unmounted(here("remounted")))),
]

# chattr meets a hook since 6.17; before, nothing of ours sees it.
if list(pathlib.Path("/sys/fs/bpf/bartizan").glob("*/links/inode_file_setattr")):
    PRIVILEGES.append(Act("flags of a protected file", ["set_flags", "/etc/ssh/flags"], capability("SSH", "writing /etc/ssh/flags"),
                          ("/etc/ssh/flags",), before=file("/etc/ssh/flags")))
