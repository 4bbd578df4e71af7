# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Blinding the host: its logs, its clock, and Bartizan itself."""

import os
import pathlib

import scene
from acts import file
from preparing import copied, here, in_turn
from scenario import SESSION, Scenario

WRITE = os.O_WRONLY
GRANTED = "hijacked-shell"
CGROUP = "/sys/fs/cgroup/system.slice/bartizand.service"
UNIT = "/usr/lib/systemd/system/bartizand.service"
CONFIGURATION = "/etc/bartizan/bartizan.toml"
DROP_IN = "/etc/systemd/system/bartizand.service.d"


def tamper(title, act, about, **more):
    """Bartizan's own: refused to every service, with or without a rule. A session may. Where the act needs a capability as well, a
    service performs it that has it."""
    return Scenario("T1685", title, act, "tamper", about, older="T1562.001", **{"control": SESSION, **more})


def untried(title, act, about, reason, **more):
    return tamper(title, act, about, control="", reason=reason, **more)


def operation(technique, title, act, capability, name, **more):
    return Scenario(technique, title, act, f"{capability}.operate", f"performing {name}", **more)


def journal():
    """One of the journal's files."""
    return next(str(path) for path in sorted(pathlib.Path("/").glob("*/log/journal/*/*.journal")))


ROWS = [
    Scenario("T1685.006", "a log emptied", ["truncate", "/var/log/auth.log", 0], "SYSTEM_LOGS.write", "writing /var/log/auth.log",
             older="T1070.002", paths=("/var/log/auth.log",), before=file("/var/log/auth.log", "a line\n")),
    Scenario("T1685.006", "a file of the journal opened for writing", lambda: ["opened", journal(), WRITE], "SYSTEM_LOGS.write",
             "/log/journal/", older="T1070.002"),
    operation("T1685.006", "the kernel's log cleared", ["clear_kernel_log"], "SYSTEM_LOGS", "kernel_log", older="T1070.002"),
    operation("T1070.006", "the clock set", ["set_clock"], "HOSTS_CONFIG", "clock"),
    operation("T1070.006", "the clock adjusted", ["adjust_clock"], "HOSTS_CONFIG", "clock"),
    tamper("Bartizan's configuration", ["opened", CONFIGURATION, WRITE], f"writing {CONFIGURATION}", paths=(CONFIGURATION,)),
    tamper("a file of Bartizan's policy", ["opened", f"{scene.POLICY}.more", WRITE | os.O_CREAT], f"writing {scene.POLICY}.more",
           paths=(f"{scene.POLICY}.more",)),
    tamper("Bartizan's switch", ["opened", "/etc/bartizan/disabled", WRITE | os.O_CREAT], "writing /etc/bartizan/disabled",
           paths=("/etc/bartizan/disabled",)),
    tamper("Bartizan's state", ["opened", "/var/lib/bartizan/revisions/active", WRITE], "writing /var/lib/bartizan/revisions/active"),
    tamper("Bartizan's records", lambda: ["append", str(sorted(scene.TRAIL.glob("*.jsonl"))[-1]), ""], f"writing {scene.TRAIL}"),
    tamper("Bartizan's program", ["chmod", "/usr/bin/bartizand", 0o755], "writing /usr/bin/bartizand"),
    tamper("Bartizan's unit replaced by renaming", ["rename", here("unit"), UNIT], f"writing {UNIT}", paths=(UNIT,),
           before=copied(UNIT, "unit")),
    tamper("a drop-in for Bartizan's unit", ["mkdir", DROP_IN], f"writing {DROP_IN}", paths=(DROP_IN,)),
    untried("a pin of Bartizan's removed", lambda: ["unlink", scene.pin("links")], "writing /sys/fs/bpf/bartizan", "would end enforcement"),
    untried("the pins unmounted", ["unmount", "/sys/fs/bpf"], "performing umount on /sys/fs/bpf", "would end enforcement", by=GRANTED),
    tamper("a map of Bartizan's by its pin", lambda: ["bpf_pin", scene.pin("maps")], "performing bpf", by=GRANTED),
    tamper("a map of Bartizan's by its number", lambda: ["bpf_by_id", scene.our_map()], "performing bpf", by=GRANTED),
    tamper("SIGKILL for Bartizan", lambda: ["kill", scene.daemon(), 9], "performing signal on /usr/bin/bartizand", after=scene.back),
    untried("SIGKILL by a descriptor", lambda: ["kill_by_descriptor", scene.daemon()],
            "performing signal on /usr/bin/bartizand", "as SIGKILL", after=scene.back),
    tamper("Bartizan traced", lambda: ["trace", scene.daemon()], "performing ptrace on /usr/bin/bartizand", by=GRANTED),
    tamper("Bartizan killed by its cgroup", ["write", f"{CGROUP}/cgroup.kill", "1"], f"{CGROUP}/cgroup.kill",
           before=scene.back, after=scene.back),
    tamper("Bartizan frozen by its cgroup", ["write", f"{CGROUP}/cgroup.freeze", "1"], f"{CGROUP}/cgroup.freeze",
           before=scene.back, after=in_turn(lambda: pathlib.Path(CGROUP, "cgroup.freeze").write_text("0"), scene.back)),
    tamper("Bartizan told what the policy is", ["asks", "/usr/bin/bartizan", "policy", "apply"], "by asking for", answers=("refused",)),
    untried("Bartizan told to switch off", ["asks", "/usr/bin/bartizan", "off"], "by asking for", "would end enforcement",
            answers=("refused",)),
]
