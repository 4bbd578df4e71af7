# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Having others act: PID 1, the kernel's own helpers, a user's manager, whoever sits at a terminal."""

import os
import pathlib
import pty
import signal
import stat
import subprocess

import scene
from preparing import gone, here, in_turn
from scenario import SESSION, Scenario
from table_persistence import creates

WRITE = os.O_WRONLY | os.O_CREAT
TERMINAL = {}


def operation(technique, title, act, capability, name, **more):
    return Scenario(technique, title, act, f"{capability}.operate", f"performing {name}", **more)


def terminal():
    """A terminal at which nobody sits."""
    if not TERMINAL:
        TERMINAL["master"], TERMINAL["slave"] = pty.openpty()
    return os.ttyname(TERMINAL["slave"])


def without_family():
    for name in ("algif_hash", "algif_skcipher", "af_alg"):
        subprocess.run(["rmmod", name], check=False, stderr=subprocess.DEVNULL)


def pointing():
    """A home that is yet to be made, and a symbolic link to what somebody put together elsewhere."""
    if subprocess.run(["id", "attack-missing"], check=False, capture_output=True).returncode:
        subprocess.run(["useradd", "-M", "-d", "/home/attack-missing", "attack-missing"], check=True)
        scene.must("bartizan", "policy", "apply")
    pathlib.Path(here("planted"), ".ssh").mkdir(parents=True, exist_ok=True)
    gone(here("pointer"), "/home/attack-missing")()
    os.symlink(here("planted"), here("pointer"))


ROWS = [
    operation("T1529", "PID 1 told by a signal", ["kill", 1, signal.SIGRTMIN + 21], "SERVICE_OPERATOR", "signal_init"),
    creates("T1547.006", "what modprobe is to run", "PRIVILEGED_PROCESSES", "/run/modprobe.d/attack.conf"),
    creates("T1546", "what the kernel runs for a key", "PRIVILEGED_PROCESSES", "/etc/request-key.d/attack.conf"),
    operation("T1547.006", "a module by asking for a kind of socket", ["protocol", 38], "HOSTS_CONFIG", "module_request",
              answers=("EAFNOSUPPORT",), before=without_family, after=without_family),
    operation("T1611", "a file system that is mounted nowhere", ["file_system", "tmpfs"], "PRIVILEGED_PROCESSES", "mount"),
    operation("T1674", "typing into a terminal", lambda: ["type_into", terminal()], "PRIVILEGED_PROCESSES", "terminal_input"),
    operation("T1674", "typing into a terminal as a 32-bit program", lambda: ["type_into", terminal(), True], "PRIVILEGED_PROCESSES",
              "terminal_input"),
    Scenario("T1006", "a node of a device with a number of today", ["mknod", here("node"), stat.S_IFCHR | 0o600, os.makedev(249, 7)],
             "PRIVILEGED_PROCESSES.write", f"writing {here('node')}", paths=(here("node"),), before=gone(here("node"))),
    Scenario("T1548.001", "a program that is made with the set-user-id bit", ["opened", here("born"), WRITE, 0o4755],
             "PRIVILEGED_PROCESSES.write", f"writing {here('born')}", paths=(here("born"),), before=gone(here("born"))),
    Scenario("T1098.004", "a home that is a symbolic link", ["rename", here("pointer"), "/home/attack-missing"], "SSH.write",
             "writing /home/attack-missing", before=pointing, after=gone("/home/attack-missing")),
    creates("T1543.002", "a unit where systemd attaches images", "SERVICE_OPERATOR", "/run/systemd/system.attached/attack.service"),
    creates("T1543.002", "a generator of units", "SERVICE_OPERATOR", "/run/systemd/system-generators/attack"),
    Scenario("T1685", "a cgroup to be killed in", ["cgroup_made", "attack", "below"], "SERVICE_OPERATOR.operate",
             "performing move_processes on /sys/fs/cgroup/attack/below/cgroup.procs", older="T1562.001"),
    Scenario("T1569.003", "the socket of a user's manager", ["connect_unix", "/run/user/0/systemd/private"], "SERVICE_OPERATOR.connect",
             "connecting to /run/user/0/systemd/private", before=lambda: scene.must("systemctl", "start", "user@0.service")),
    Scenario("T1685", "SIGKILL for Bartizan by way of a pipe", lambda: ["ready_signal", scene.daemon(), 9], "tamper",
             "performing signal on /usr/bin/bartizand", older="T1562.001", answers=("ok",), control="",
             reason="the kernel sends the signal later, so that nobody is told", after=scene.back),
    Scenario("T1685", "limits for Bartizan", lambda: ["limited", scene.daemon()], "tamper", "performing limits on /usr/bin/bartizand",
             older="T1562.001", control=SESSION),
]
