# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Reading what is secret, by every name and way that leads to it; other processes' memory."""

import os

from acts import file
from preparing import gone, here
from scenario import Scenario
from scene import SENDER, bystander

READ = os.O_RDONLY
SHADOW = "/etc/shadow"


def shadow(title, act, **more):
    return Scenario("T1003.008", f"/etc/shadow {title}", act, "USERS_ADMIN.read", f"reading {SHADOW}", **more)


def mounting(title, act, about, **more):
    return Scenario("T1611", title, act, "PRIVILEGED_PROCESSES.operate", f"performing mount on {about}", **more)


def traced(technique, title, name):
    return Scenario(technique, title, lambda: [name, *bystander()], "PRIVILEGED_PROCESSES.operate", "performing ptrace")


ROWS = [
    shadow("by its name", ["opened", SHADOW, READ]),
    shadow("below /proc/self/root", ["opened", f"/proc/self/root{SHADOW}", READ]),
    shadow("by a symbolic link", ["by_symlink", SHADOW, here("pointer"), READ], before=gone(here("pointer"))),
    shadow("opened again through /proc/self/fd", ["by_descriptor", SHADOW, READ]),
    shadow("by the file system's own number for it", ["by_handle", SHADOW, READ]),
    shadow("through io_uring", ["by_ring", SHADOW, READ]),
    shadow("as a descriptor that another process hands over", ["received", SHADOW, SENDER], answers=("no effect",)),
    shadow("with a permitted shell's own words", ["said", "/bin/sh", "-c", f"while read line; do :; done <{SHADOW}"], by="hijacked-shell"),
    Scenario("T1003.008", "/etc/shadow by a hard link", ["by_link", SHADOW, "/etc/attack-name", READ], "USERS_ADMIN.write",
             f"writing {SHADOW}", paths=(SHADOW, "/etc/attack-name"), before=gone("/etc/attack-name"), after=gone("/etc/attack-name")),
    mounting("/etc/shadow mounted elsewhere, in a namespace of its own", ["by_bind", SHADOW, here("alias"), READ], here("alias"),
             before=file(here("alias"), "")),
    mounting("/etc as the lower layer of an overlay", ["by_overlay", "/etc", str(here("")).rstrip("/"), "shadow", READ], here("merged")),
    Scenario("T1552.004", "a private key of the host", ["opened", "/etc/ssh/ssh_host_ed25519_key", READ], "SSH.read",
             "reading /etc/ssh/ssh_host_ed25519_key"),
    Scenario("T1552.003", "root's history", ["opened", "/root/.bash_history", READ], "SHELL.read", "reading /root/.bash_history",
             before=file("/root/.bash_history", "")),
    traced("T1003.007", "reading another process's memory", "memory_read"),
    Scenario("T1055.008", "attaching to another process", lambda: ["trace", bystander()[0]], "PRIVILEGED_PROCESSES.operate",
             "performing ptrace"),
    traced("T1055.009", "writing another process's memory", "memory_write"),
    Scenario("T1055.009", "writing /proc/PID/mem", lambda: ["memory_file", *bystander()], "PRIVILEGED_PROCESSES.write", "/mem"),
]
