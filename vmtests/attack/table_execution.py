# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Bringing code to run: shells, programs that should not be there, programs without a name."""

import os

from acts import file
from preparing import gone, here, in_turn, program
from scene import SERVICES
from scenario import Scenario

SHELL, LOADER = "/bin/sh", "/lib64/ld-linux-x86-64.so.2"
LIBRARY = "/lib/x86_64-linux-gnu/libutil.so.1"
EXECUTING_USERADD = "executing /usr/sbin/useradd"


def delivered():
    """The service writes a program; a careless script of the administrator makes it executable."""
    gone(here("delivered"))()
    SERVICES["hijacked"].one("copy", "/usr/bin/true", here("delivered"))
    os.chmod(here("delivered"), 0o755)


ROWS = [
    Scenario("T1059.004", "a shell", ["said", SHELL, "-c", ":"], "SHELL.execute", "executing /usr/bin/dash"),
    Scenario("T1059.004", "a shell that awk starts",
             ["leaves", here("mark"), "/usr/bin/mawk", f'BEGIN {{ system("touch {here("mark")}") }}'],
             "SHELL.execute", "executing /usr/bin/dash", answers=("no effect",), paths=(here("mark"),), before=gone(here("mark"))),
    Scenario("T1059.006", "a shell on a terminal that Python makes", ["terminal", "/bin/bash"], "SHELL.execute", "executing /usr/bin/bash"),
    Scenario("T1059.004", "a program that a permitted shell starts", ["said", SHELL, "-c", "/usr/sbin/useradd --help"],
             "USERS_ADMIN.execute", EXECUTING_USERADD, by="hijacked-shell"),
    Scenario("T1059.004", "a script in /tmp that a permitted shell reads", ["said", SHELL, "/tmp/attack.sh"],
             "USERS_ADMIN.execute", "executing /usr/sbin/usermod", by="hijacked-shell",
             before=file("/tmp/attack.sh", "/usr/sbin/usermod --help\n")),
    Scenario("T1036.003", "a copy of the shell under another name", ["masked_copy", SHELL, here("crond")], "INSTALLER.write",
             f"writing {here('crond')}", before=gone(here("crond")), after=gone(here("crond"))),
    Scenario("T1105", "a program made executable as it is fetched", ["make", here("fetched"), 0o755], "INSTALLER.write",
             f"writing {here('fetched')}", paths=(here("fetched"),), before=gone(here("fetched"))),
    Scenario("T1222.002", "chmod +x", ["chmod", here("script"), 0o755], "INSTALLER.write", f"writing {here('script')}",
             paths=(here("script"),), before=file(here("script"))),
    Scenario("T1554", "writing into an installed program", ["append", here("tool"), "more"], "INSTALLER.write", f"writing {here('tool')}",
             paths=(here("tool"),), before=program(here("tool"))),
    Scenario("T1554", "renaming onto an installed program", ["rename", here("spare"), here("tool")], "INSTALLER.write",
             f"writing {here('')}", paths=(here("tool"), here("spare")), before=in_turn(program(here("tool")), file(here("spare")))),
    Scenario("T1574.007", "a program planted before /usr/bin in the path", ["rename", here("spare"), "/usr/local/bin/ls"],
             "INSTALLER.write", "writing /usr/local/bin/ls", paths=("/usr/local/bin/ls",), before=file(here("spare"))),
    Scenario("T1036.005", "running what it wrote, made executable by somebody else", ["run", here("delivered")], "INSTALLER.execute",
             f"executing {here('delivered')}", before=delivered),
    Scenario("T1620", "a program in memory", ["run_in_memory", "/usr/bin/true"], "INSTALLER.execute", "executing"),
    Scenario("T1070.004", "a program whose name is removed first", ["run_removed", here("removed")], "INSTALLER.execute", "executing",
             before=program(here("removed"))),
    Scenario("T1574.006", "mapping a library that it wrote", ["map_written", LIBRARY, here("one.so")], "INSTALLER.execute",
             f"executing {here('one.so')}", before=gone(here("one.so"))),
    Scenario("T1574.006", "making a mapping of what it wrote executable", ["map_then_protect", LIBRARY, here("two.so")],
             "INSTALLER.execute", f"executing {here('two.so')}", before=gone(here("two.so"))),
    Scenario("T1574.006", "LD_PRELOAD of a library that it wrote", ["preload", LIBRARY, here("three.so")], "INSTALLER.execute",
             f"executing {here('three.so')}", answers=("no effect",), before=gone(here("three.so"))),
    Scenario("T1620", "a shell given to the loader", ["said", LOADER, "/usr/bin/bash", "-c", ":"], "SHELL.execute",
             "executing /usr/bin/bash", answers=("no effect",)),
    Scenario("T1620", "another program given to the loader, by a permitted shell",
             ["said", SHELL, "-c", f"{LOADER} /usr/sbin/groupmod --help"], "USERS_ADMIN.execute", "executing /usr/sbin/groupmod",
             by="hijacked-shell", answers=("no effect",)),
    Scenario("T1136.001", "useradd", ["execute", "/usr/sbin/useradd", "--help"], "USERS_ADMIN.execute", EXECUTING_USERADD),
    Scenario("T1548.003", "sudo", ["execute", "/usr/bin/sudo", "-V"], "PRIVILEGED_PROCESSES.execute", "executing /usr/bin/sudo"),
    Scenario("T1021.004", "ssh to the next host", ["execute", "/usr/bin/ssh", "-V"], "SSH.execute", "executing /usr/bin/ssh"),
    Scenario("T1095", "nc", ["execute", "/usr/bin/nc", "-h"], "NET.execute", "executing"),
    Scenario("T1072", "apt-get", ["execute", "/usr/bin/apt-get", "--version"], "INSTALLER.execute", "executing /usr/bin/apt-get"),
    Scenario("T1569.003", "systemctl", ["execute", "/usr/bin/systemctl", "--version"], "SERVICE_OPERATOR.execute",
             "executing /usr/bin/systemctl"),
]

