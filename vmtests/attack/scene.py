# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Where the attacks take place: the services that were taken over, the processes and files that they aim at."""

import json
import os
import pathlib
import shutil
import socket
import threading

import stage
from service import PARTS, Service
from stage import must, promise, run, wait_for

AREA = pathlib.Path("/srv/attack")
POLICY = pathlib.Path("/etc/bartizan/policy.d/attack.toml")
TRAIL = pathlib.Path("/var/lib/bartizan/audit")
PROGRAMS = pathlib.Path("/opt/hijacked")
HERE = pathlib.Path(__file__).resolve().parent
SENDER = "attack-sender"
RULES = """
[[rule]]
name = "the hijacked service keeps to its model"
services = ["hijacked"]
violations = "prevent"

[rule.capabilities]
USERS_ADMIN = "prevent"
INSTALLER = "prevent"
PRIVILEGED_PROCESSES = "prevent"

[rule.outbound]
deny = [{ to = "203.0.113.0/24", ports = [4444] }]

[[rule]]
name = "this one may run a shell, ask for units and perform operations"
services = ["hijacked-shell"]
violations = "prevent"
capabilities = { SHELL = "allow", "SERVICE_OPERATOR.execute" = "allow", "PRIVILEGED_PROCESSES.operate" = "allow" }
"""


class Hijacked(Service):
    """A service whose process does what the attacker wants. It runs as root and systemd takes nothing from it."""

    def start(self):
        PROGRAMS.mkdir(exist_ok=True)
        for source in (*HERE.glob("*.py"), *(HERE.parent / "e2e" / part for part in PARTS)):
            shutil.copy(source, PROGRAMS / source.name)
        must("systemd-run", "-q", "--collect", f"--unit={self.name}.service", "python3", "-B", str(PROGRAMS / "hijacked.py"), self.name)
        wait_for(f"{self.name} answers", self.answers)


SERVICES = {name: Hijacked(name) for name in ("hijacked", "hijacked-shell")}


def set_up():
    """Services that have learned what they do on good days and are active, without a rule. The models' grants."""
    wait_for("Bartizan enforces", stage.enforcing)
    POLICY.unlink(missing_ok=True)
    must("bartizan", "policy", "apply")
    leave()
    for name in ("", "root/old", "upper", "work", "merged", "tmpfs"):
        (AREA / name).mkdir(parents=True)
    must("mount", "-t", "tmpfs", "attack", str(AREA / "root"))
    (AREA / "root/old").mkdir()
    for one in SERVICES.values():
        one.start()
        one.known()
        one.must_allow("opened", "/etc/passwd", os.O_RDONLY)
        one.must_allow("said", "/usr/bin/true")
        one.must_allow("opened", str(AREA / "data"), os.O_WRONLY | os.O_CREAT)
        if one.known()["state"] != "active":
            must("bartizan", "activate", one.name)
    must("systemd-run", "-q", "--collect", "--unit=bystander.service", "sleep", "infinity")
    listen()
    threading.Thread(target=send, daemon=True).start()
    granted = {name: stage.services()[name]["granted"] for name in SERVICES}
    promise(all(set(one) <= {"USERS"} for one in granted.values()), f"on good days the services need no more than USERS: {granted}")
    return granted


def leave():
    """Takes away what an earlier run may have left."""
    for name in (*SERVICES, "bystander"):
        run("systemctl", "stop", f"{name}.service")
    run("umount", "-q", str(AREA / "root"))
    shutil.rmtree(AREA, ignore_errors=True)


def rules_hold():
    POLICY.write_text(RULES)
    must("bartizan", "policy", "apply")


listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)


def listen():
    """A socket where a container engine's would be."""
    pathlib.Path("/run/docker.sock").unlink(missing_ok=True)
    listener.bind("/run/docker.sock")
    listener.listen(64)


def send():
    """Hands over descriptors of whatever is asked for, as another program that was taken over might."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind("\0" + SENDER)
        server.listen(8)
        while True:
            one, _ = server.accept()
            with one, one.makefile() as asked:
                descriptor = os.open(asked.readline().strip(), os.O_RDONLY)
                socket.send_fds(one, [b"here"], [descriptor])
                os.close(descriptor)


def main_pid(unit):
    return int(must("systemctl", "show", "-p", "MainPID", "--value", unit))


def daemon():
    """The daemon's process, once it is there."""
    return wait_for("the daemon runs", lambda: main_pid("bartizand"), 90)


def back():
    """Waits until the daemon answers; an act may have killed it."""
    wait_for("the daemon is back", lambda: main_pid("bartizand") and stage.enforcing(), 90)


def top_of_stack(pid):
    """An address of a process where eight zeros are: the end of its stack."""
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        if line.endswith("[stack]"):
            return int(line.split()[0].split("-")[1], 16) - 8
    raise stage.NotAsPromised(f"process {pid} has a stack")


def bystander():
    pid = main_pid("bystander")
    return [pid, top_of_stack(pid)]


def our_map():
    """The number of one of Bartizan's maps."""
    for line in run("bpftool", "-j", "map", "list").stdout.splitlines():
        for one in json.loads(line):
            if one.get("name") == "policies":
                return one["id"]
    raise stage.NotAsPromised("the kernel holds Bartizan's map of policies")


def pin(kind):
    """One of the pinned objects: of its links, the one that judges opening; of its maps, the policies."""
    name = {"links": "file_open", "maps": "policies"}[kind]
    return next(str(path) for path in sorted(pathlib.Path("/sys/fs/bpf/bartizan").glob(f"*/{kind}/*")) if path.name == name)


def module():
    """A real module of the running kernel that is not loaded, needs no other and does nothing by itself."""
    tree = pathlib.Path("/lib/modules") / os.uname().release / "kernel"
    loaded = pathlib.Path("/proc/modules").read_text()
    for name in ("dummy", "ifb", "nlmon", "veth"):
        for path in tree.rglob(f"{name}.ko*"):
            if f"{name} " not in loaded:
                return str(path)
    raise stage.NotAsPromised(f"there is a module to load below {tree}")


def unload():
    name = pathlib.Path(module_used[0]).name.split(".")[0] if module_used else ""
    if name:
        run("rmmod", name)


module_used = []


def use_module():
    module_used[:] = [module()]
