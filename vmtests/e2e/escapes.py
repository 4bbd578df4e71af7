# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Ways out of a unit, and hands laid on Bartizan itself: by a service that runs as root."""

import json
import os
import pathlib
import pwd
import socket
import threading

from audit import audits, compare, record
from ground import AREA, clerk, rules_hold, victim
from stage import must, promise, wait_for
from suite import test

CGROUPS = pathlib.Path("/sys/fs/cgroup")
FORBIDDEN = ["opened", "/etc/passwd", os.O_WRONLY]
MNT_DETACH = 2


def user_exists(name):
    return any(one.pw_name == name for one in pwd.getpwall())


def escape(cgroup):
    """Waits for the record of the victim's move."""
    found = record(f"Service victim attempted to leave its unit by moving to the cgroup {cgroup}")
    compare(found, {"kind": "escape", "service": "victim", "verdict": "audit", "capability": None, "rule": None})


def refused_in_scope(name):
    """The victim has PID 1 move it into a scope, and runs useradd there."""
    rules_hold()
    status, text = victim.one("output", "/usr/bin/systemd-run", "--scope", f"--unit={name}", "/usr/sbin/useradd", "escapee")
    promise(status != 0 and "Operation not permitted" in text, f"useradd is refused in the scope: {status} {text}")
    promise(not user_exists("escapee"), "there is no user escapee")
    escape(f"{name}.scope")


@test
def systemd_run_scope_keeps_the_label():
    refused_in_scope("e2e-escape")


@test
def a_scope_that_is_called_like_a_session():
    refused_in_scope("session-e2e")


@test
def cgroup_procs_keeps_the_label():
    rules_hold()
    (CGROUPS / "e2e-cage").mkdir(exist_ok=True)
    moved, where, answer = victim.one("in_cgroup", str(CGROUPS / "e2e-cage"), FORBIDDEN)
    promise(moved == "ok" and "e2e-cage" in where, f"the child has moved itself: {moved} {where}")
    promise(answer == "EPERM", f"outside its unit it is still the victim: {answer}")
    escape("e2e-cage")
    (CGROUPS / "e2e-cage").rmdir()


@test
def a_login_session_is_no_way_out():
    rules_hold()
    session = pathlib.Path("/proc/self/cgroup").read_text().split("::")[1].strip()
    moved, where, answer = victim.one("in_cgroup", f"{CGROUPS}{session}", FORBIDDEN)
    promise(moved == "ok" and "session-" in where, f"the child is in the session's cgroup: {moved} {where}")
    promise(answer == "EPERM", f"in a session's cgroup it is still the victim: {answer}")
    escape(pathlib.Path(session).name)


@test
def another_service_is_no_way_out():
    rules_hold()
    moved, _, answer = victim.one("in_cgroup", f"{CGROUPS}/system.slice/nginx.service", FORBIDDEN)
    promise((moved, answer) == ("ok", "EPERM"), f"in nginx's cgroup it is still the victim: {moved} {answer}")


def tamper(words):
    compare(record(f"Service victim attempted to tamper with Bartizan by {words}"),
            {"kind": "tamper", "service": "victim", "verdict": "deny", "capability": None, "count": 1})


def pin():
    """One of the pinned links."""
    return next(path for path in sorted(pathlib.Path("/sys/fs/bpf/bartizan").glob("*/links/*")) if path.name == "file_open")


@test
def unmounting_the_pins():
    rules_hold()
    victim.must_deny("unmount", "/sys/fs/bpf")
    victim.must_deny("unmount", "/sys/fs/bpf", MNT_DETACH)
    victim.must_deny("unmount", "/sys", MNT_DETACH)
    promise(os.path.ismount("/sys/fs/bpf") and pin().exists(), "the pins are where they were")
    found = wait_for("a tamper record of the unmount", lambda: [
        one for one in audits("--service", "victim") if one["kind"] == "tamper" and one["path"] == "/sys/fs/bpf"])
    compare(found[0], {"verdict": "deny", "access": "operate",
                       "message": "Service victim attempted to tamper with Bartizan by performing umount on /sys/fs/bpf"})
    victim.must_deny(*FORBIDDEN)


@test
def moving_a_mount_of_the_host():
    """By a service that may mount: mount(2) does not show its hook what is moved, so it may have been the pins."""
    rules_hold()
    # Nothing is ever moved out of a shared mount.
    room = AREA / "moving"
    room.mkdir(exist_ok=True)
    must("mount", "-t", "tmpfs", "e2e", str(room))
    must("mount", "--make-private", str(room))
    for name in ("from", "to"):
        (room / name).mkdir()
    must("mount", "-t", "tmpfs", "e2e", str(room / "from"))
    try:
        clerk.must_deny("move", str(room / "from"), str(room / "to"))
        record(f"Service clerk attempted to tamper with Bartizan by performing umount on {room / 'to'}", verdict="deny")
        answer = clerk.one("move_in_private", str(room / "from"), str(room / "to"))
        promise(answer == "ok", f"among mounts of its own it may: {answer}")
        must("mount", "--move", str(room / "from"), str(room / "to"))
    finally:
        must("umount", "-R", str(room))


@test
def removing_and_renaming_pins():
    rules_hold()
    link = pin()
    victim.must_deny("unlink", str(link))
    victim.must_deny("rename", str(link), str(link) + "-gone")
    victim.must_deny("rename", str(link.parents[2]), "/sys/fs/bpf/elsewhere")
    promise(link.exists(), "the pin is where it was")
    tamper(f"writing {link}")
    victim.must_deny(*FORBIDDEN)


@test
def writing_the_state_and_the_policy():
    rules_hold()
    for path in ("/etc/bartizan/bartizan.toml", "/etc/bartizan/policy.d/e2e.toml", "/var/lib/bartizan/revisions/active"):
        victim.must_deny("opened", path, os.O_WRONLY)
        tamper(f"writing {path}")
    victim.must_deny("opened", "/etc/bartizan/disabled", os.O_WRONLY | os.O_CREAT)
    victim.must_deny("rename", "/var/lib/bartizan", "/var/lib/elsewhere")
    victim.must_deny("unlink", "/run/bartizan/api.sock")
    promise(not pathlib.Path("/etc/bartizan/disabled").exists(), "a refused creation leaves nothing")
    must("bartizan", "status")


def daemon():
    return int(must("systemctl", "show", "-p", "MainPID", "--value", "bartizand"))


@test
def signals_and_tracing_of_the_daemon():
    rules_hold()
    for act in (["kill", daemon(), 9], ["kill", daemon(), 19], ["attach", daemon()]):
        victim.must_deny(*act)
    answer = victim.one("memory", daemon(), os.O_RDONLY)
    promise(answer == "EACCES", f"the daemon's memory stays closed, in the kernel's words: {answer}")
    must("bartizan", "status")
    for words in ("performing signal on /usr/bin/bartizand", "performing ptrace on /usr/bin/bartizand"):
        found = record(f"Service victim attempted to tamper with Bartizan by {words}")
        compare(found, {"kind": "tamper", "service": "victim", "verdict": "deny", "capability": None})
    # Asking whether it is there is no signal.
    victim.must_allow("kill", daemon(), 0)


@test
def killing_and_freezing_the_cgroup_of_the_daemon():
    rules_hold()
    where = CGROUPS / "system.slice/bartizand.service"
    for path in (where / "cgroup.kill", where / "cgroup.freeze", where / "cgroup.procs", CGROUPS / "system.slice/cgroup.kill"):
        victim.must_deny("opened", str(path), os.O_WRONLY)
        tamper(f"writing {path}")
    must("bartizan", "status")


def numbers(kind):
    """Of our pinned maps, or of the programs behind our links."""
    listed = json.loads(must("bpftool", "-j", kind, "list"))
    if kind == "map":
        return [one["id"] for one in listed if one.get("name") in ("policies", "labels", "seen")]
    return [one["prog_id"] for one in listed if one.get("type") == "tracing"]


@test
def getting_hold_of_maps_and_programs():
    """By a service that may use BPF for what is not ours."""
    rules_hold()
    clerk.must_allow("bpf_map")
    for kind, command in (("map", 14), ("link", 13)):
        found = numbers(kind)
        promise(len(found) > 2, f"bpftool shows our {kind}s: {found}")
        for number in found[:3]:
            clerk.must_deny("bpf_object", command, number)
            victim.must_deny("bpf_object", command, number)
    compare(record("Service clerk attempted to tamper with Bartizan by performing bpf"),
            {"kind": "tamper", "service": "clerk", "verdict": "deny", "capability": None})


@test
def a_descriptor_that_is_handed_over():
    rules_hold()
    path = pathlib.Path("/etc/ssh/sshd_config.d/e2e-sent.conf")
    path.write_text("# nothing\n")
    place = AREA / "sender.sock"
    place.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(place))
        listener.listen(8)

        def send(count):
            for _ in range(count):
                other = listener.accept()[0]
                with other, open(path, "r+b") as file:
                    socket.send_fds(other, [b"here"], [file.fileno()])

        sender = threading.Thread(target=send, args=(2,))
        sender.start()
        clerk.must_allow("receive", str(place))
        victim.must_deny("receive", str(place))
        sender.join()
    compare(record(f"Service victim attempted to obtain capability SSH by writing {path}"), {"verdict": "deny"})
    path.unlink()
