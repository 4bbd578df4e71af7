# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Coming back later: accounts, keys, jobs, units, hooks of other programs, privilege bits."""

import os
import pathlib

from acts import file
from preparing import copied, gone, here, program, setuid
from scenario import Scenario

CREATE = os.O_WRONLY | os.O_CREAT


def writes(technique, title, act, capability, path, **more):
    """A change of one path."""
    return Scenario(technique, title, act, f"{capability}.write", f"writing {path}", paths=(path,), **more)


def creates(technique, title, capability, path, **more):
    return writes(technique, title, ["opened", path, CREATE], capability, path, before=in_directory(path), **more)


def in_directory(path):
    """The directory is there, the name is not."""

    def make():
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        gone(path)()

    return make


ROWS = [
    writes("T1136.001", "/etc/passwd replaced by renaming", ["rename", here("passwd"), "/etc/passwd"], "USERS_ADMIN", "/etc/passwd",
           before=copied("/etc/passwd", "passwd")),
    writes("T1098", "/etc/group exchanged with a copy", ["exchange", here("group"), "/etc/group"], "USERS_ADMIN", "/etc/group",
           before=copied("/etc/group", "group")),
    writes("T1531", "/etc/gshadow emptied by an open for reading", ["opened", "/etc/gshadow", os.O_RDONLY | os.O_TRUNC], "USERS_ADMIN",
           "/etc/gshadow"),
    writes("T1548.003", "a line for sudo", ["append", "/etc/sudoers.d/attack", "nobody ALL=(ALL) NOPASSWD: ALL\n"], "USERS_ADMIN",
           "/etc/sudoers.d/attack", before=file("/etc/sudoers.d/attack", "# nothing\n")),
    writes("T1556.003", "a PAM file replaced by renaming", ["rename", here("pam"), "/etc/pam.d/common-auth"], "USERS_ADMIN",
           "/etc/pam.d/common-auth", before=copied("/etc/pam.d/common-auth", "pam")),
    writes("T1098.004", "a key for root's account", ["append", "/root/.ssh/authorized_keys", "\n"], "SSH", "/root/.ssh/authorized_keys"),
    writes("T1021.004", "sshd's configuration opened to all", ["chmod", "/etc/ssh/sshd_config", 0o666], "SSH", "/etc/ssh/sshd_config"),
    creates("T1053.003", "a job for cron", "SERVICE_OPERATOR", "/etc/cron.d/attack"),
    writes("T1053.003", "root's crontab by renaming", ["rename", here("tab"), "/var/spool/cron/crontabs/root"], "SERVICE_OPERATOR",
           "/var/spool/cron/crontabs/root", before=file(here("tab"), "# nothing\n")),
    creates("T1543.002", "a unit", "SERVICE_OPERATOR", "/etc/systemd/system/attack.service"),
    creates("T1053.006", "a timer", "SERVICE_OPERATOR", "/run/systemd/system/attack.timer"),
    creates("T1037.004", "rc.local", "SERVICE_OPERATOR", "/etc/rc.local"),
    creates("T1546.004", "a file for every login shell", "SHELL", "/etc/profile.d/attack.sh"),
    writes("T1546.004", "root's .bashrc", ["append", "/root/.bashrc", "\n"], "SHELL", "/root/.bashrc"),
    creates("T1574.006", "/etc/ld.so.preload", "PRIVILEGED_PROCESSES", "/etc/ld.so.preload"),
    creates("T1546.018", "a hook for every start of Python", "INSTALLER", "/usr/lib/python3/dist-packages/attack.pth"),
    creates("T1547.006", "a module to be loaded at boot", "HOSTS_CONFIG", "/etc/modules-load.d/attack.conf"),
    creates("T1553.004", "a certificate authority", "HOSTS_CONFIG", "/usr/local/share/ca-certificates/attack.crt"),
    writes("T1565.001", "/etc/hosts", ["append", "/etc/hosts", "# more\n"], "HOSTS_CONFIG", "/etc/hosts"),
    writes("T1548.001", "the set-user-id bit", ["chmod", here("tool"), 0o4755], "PRIVILEGED_PROCESSES", here("tool"),
           before=program(here("tool"))),
    writes("T1548.001", "a capability given to a file", ["setxattr", here("tool"), "security.capability",
                                                        "0100000200200000" + "0" * 24], "PRIVILEGED_PROCESSES", here("tool"),
           before=program(here("tool"))),
    Scenario("T1548.001", "privilege regained by a set-user-id program", ["run_as", 65534, here("suid")],
             "PRIVILEGED_PROCESSES.operate", "performing privilege", before=setuid(here("suid")), after=gone(here("suid"))),
    Scenario("T1569.003", "systemd's private socket", ["connect_unix", "/run/systemd/private"], "SERVICE_OPERATOR.connect",
             "connecting to /run/systemd/private"),
    Scenario("T1610", "the container engine's socket", ["connect_unix", "/run/docker.sock"], "DOCKER_SOCKET.connect",
             "connecting to /run/docker.sock"),
]
