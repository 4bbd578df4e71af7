# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Starts that fail half way: what was in force stays in force, and the reason is told."""

import ctypes
import json
import os
import pathlib
import shutil
import struct

import stage
from audit import audits, record
from boot import PINS
from flips import bpf
from ground import AREA, RULES, apply, rules_hold, victim
from life import Load, back, main_pid
from stage import NotAsPromised, must, promise, run, wait_for
from suite import apart

RECORD = pathlib.Path("/run/bartizan/loaded.json")
STATE = pathlib.Path("/var/lib/bartizan")
BPF_PROG_LOAD, BPF_OBJ_GET, BPF_OBJ_GET_INFO_BY_FD, BPF_RAW_TRACEPOINT_OPEN = 5, 7, 15, 17
PROG_TYPE_LSM, LSM_MAC = 29, 27
# More programs than one hook takes (BPF_MAX_TRAMP_LINKS).
PROGRAMS_OF_A_HOOK = 100


def loads():
    """The sets that are pinned, without what others have put there."""
    return sorted(path.name for path in PINS.iterdir() if (path / "links").is_dir())


def said(word, since):
    """What the daemon has said since then that contains a word."""
    lines = must("journalctl", "-u", "bartizand", "-o", "cat", "--no-pager", f"--since=@{since}").splitlines()
    return [line for line in lines if word in line]


def now():
    return must("date", "+%s").strip()


def foreign_map(path, kind="array", key=4, value=8, entries=1):
    must("bpftool", "map", "create", str(path), "type", kind, "key", str(key), "value", str(value), "entries", str(entries),
         "name", "foreign")


@apart
def start_among_strange_pins():
    rules_hold()
    ours, old = loads(), main_pid()
    strange = [PINS / "4000000000", PINS / "77" / "maps", PINS / "strange"]
    for path in strange[1:]:
        path.mkdir(parents=True)
    foreign_map(strange[0])
    foreign_map(PINS / "77" / "maps" / "policies")
    foreign_map(PINS / "77" / "stays")
    since = now()
    with Load() as load:
        must("systemctl", "restart", "bartizand")
        load.goes_on()
        told = [one["message"] for one in audits() if one["kind"] == "lifecycle"][-1]
        promise("taken over" in told, f"strange pins beside them do not keep ours from being taken over: {told}")
        # Nor do they keep a fresh load from replacing ours.
        RECORD.unlink(missing_ok=True)
        must("systemctl", "restart", "bartizand")
        load.goes_on()
    promise(main_pid() not in (0, old) and stage.enforcing(), "the daemon enforces")
    promise(len(loads()) == 1 and loads() != ours, f"a fresh set has replaced ours: {ours} {loads()}")
    for path in (strange[0], PINS / "77" / "stays"):
        promise(path.exists(), f"{path} is not ours to remove")
        promise(said(str(path if path.parent == PINS else path.parent), since), f"{path} is told")
        path.unlink()
    for path in (PINS / "77", PINS / "strange"):
        shutil.rmtree(path, ignore_errors=True)


@apart
def start_with_a_foreign_map_among_our_pins():
    rules_hold()
    (pin,) = PINS.glob("*/maps/policies")
    shown = json.loads(must("bpftool", "-j", "map", "show", "pinned", str(pin)))
    pin.unlink()
    foreign_map(pin, shown["type"], shown["bytes_key"], shown["bytes_value"], shown["max_entries"])
    since = now()
    with Load() as load:
        must("systemctl", "restart", "bartizand")
        load.goes_on()
    promise(stage.enforcing(), "the daemon enforces")
    promise(said("policies", since), "it says which pin leads to something else")
    apply(RULES.replace("DOCKER_SOCKET", "HOSTS_CONFIG").replace(".connect", ".write"))
    answer = victim.one("opened", "/etc/hosts", os.O_WRONLY)
    apply(RULES)
    promise(answer == "EPERM", f"what is applied reaches the kernel's programs: {answer}")


def target_of(link):
    """The kernel's number of the function that a pinned link's program hangs on."""
    path, info = ctypes.create_string_buffer(str(link).encode()), ctypes.create_string_buffer(64)
    held = bpf(BPF_OBJ_GET, struct.pack("=QII", ctypes.addressof(path), 0, 0))
    bpf(BPF_OBJ_GET_INFO_BY_FD, struct.pack("=IIQ", held, len(info), ctypes.addressof(info)))
    os.close(held)
    # struct bpf_link_info of tracing: type, id, prog_id, padding, attach_type, target_obj_id, target_btf_id
    return struct.unpack_from("=7I", info)[6]


def crowded(hook):
    """Fills a hook with programs of an administrator, so that it takes no more. The descriptors that hold them."""
    (link,) = PINS.glob(f"*/links/{hook}")
    target = target_of(link)
    code = struct.pack("=BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0)  # r0 = 0; exit
    instructions, licence = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"GPL")
    # union bpf_attr, program load: type, count, insns, license, log (3), version, flags, name, ifindex, expected_attach_type,
    # btf_fd, func_info (3), line_info (3), attach_btf_id
    attributes = struct.pack("=2I2Q2IQ2I16s4IQ2IQ2I", PROG_TYPE_LSM, len(code) // 8, ctypes.addressof(instructions),
                             ctypes.addressof(licence), 0, 0, 0, 0, 0, b"", 0, LSM_MAC, 0, 0, 0, 0, 0, 0, 0, target)
    held = []
    while len(held) < 2 * PROGRAMS_OF_A_HOOK:
        program = bpf(BPF_PROG_LOAD, attributes)
        held.append(program)
        try:
            held.append(bpf(BPF_RAW_TRACEPOINT_OPEN, struct.pack("=QIIQ", 0, program, 0, 0)))
        except NotAsPromised:
            return held
    raise NotAsPromised(f"hook {hook} takes more programs than were expected")


@apart
def start_when_one_hook_cannot_be_attached():
    rules_hold()
    ours, old, since = loads(), main_pid(), now()
    with Load() as load:
        held = crowded("inode_rmdir")
        try:
            RECORD.unlink(missing_ok=True)
            run("systemctl", "restart", "bartizand")
            told = wait_for("the daemon says what it cannot attach", lambda: said("attaching the hook inode_rmdir", since))
            wait_for(f"and what holds meanwhile: {told}", lambda: [
                line for line in said("stays in force", since) if "attaching the hook inode_rmdir" in line], 20)
            load.goes_on()
            victim.must_deny("rmdir", "/etc/security")
            promise(set(ours) <= set(loads()), f"the last good set stays: {ours} {loads()}")
        finally:
            for one in held:
                os.close(one)
        back(old)
        load.goes_on()
    promise(len(loads()) == 1, f"one set is left: {loads()}")


@apart
def start_that_is_killed_while_it_loads():
    rules_hold()
    ours = loads()
    with Load() as load:
        RECORD.unlink(missing_ok=True)
        must("systemctl", "restart", "--no-block", "bartizand")
        wait_for("a fresh set is being pinned", lambda: len(loads()) > len(ours))
        pid = main_pid()
        os.kill(pid, 9)
        load.goes_on()
        back(pid)
        load.goes_on()
    promise(len(loads()) == 1 and loads() != ours, f"what was left of the load is gone: {ours} {loads()}")


def on_another_disk(size):
    """Bartizan's state moves to a file system of a few megabytes, with the daemon stopped."""
    copy = AREA / "state"
    shutil.rmtree(copy, ignore_errors=True)
    must("cp", "-a", str(STATE), str(copy))
    must("mount", "-t", "tmpfs", "-o", f"size={size}M,mode=750", "e2e", str(STATE))
    must("sh", "-c", f"cp -a {copy}/. {STATE}/")


def back_on_the_disk():
    copy = AREA / "state"
    shutil.rmtree(copy, ignore_errors=True)
    must("cp", "-a", str(STATE), str(copy))
    must("umount", str(STATE))
    must("sh", "-c", f"rm -rf {STATE}/* && cp -a {copy}/. {STATE}/")


@apart
def start_on_a_full_disk():
    rules_hold()
    must("systemctl", "stop", "bartizand")
    on_another_disk(16)
    full = STATE / "full"
    try:
        run("dd", "if=/dev/zero", f"of={full}", "bs=64k")
        run("dd", "if=/dev/zero", f"of={full}-2", "bs=1")
        promise(os.statvfs(STATE).f_bavail == 0, "the disk is full")
        # Nothing is taken over: the load itself has to work.
        RECORD.unlink(missing_ok=True)
        must("systemctl", "start", "bartizand")
        promise(stage.enforcing(), "with a full disk it enforces")
        before = stage.status()["revision"]
        victim.must_deny("opened", "/etc/sudoers.d/disk-full", os.O_WRONLY | os.O_CREAT)
        done = run("bartizan", "policy", "apply")
        promise(done.returncode != 0 and "No space left" in done.stderr, f"`policy apply` says why not: {done.returncode} {done.stderr}")
        promise(stage.enforcing() and stage.status()["revision"] == before, "the revision in force is the same")
        victim.must_deny("execute", "/usr/sbin/useradd", "--help")
        full.unlink()
        record("Service victim attempted to obtain capability USERS_ADMIN by writing /etc/sudoers.d/disk-full", verdict="deny", count=1)
        must("bartizan", "policy", "apply")
        applied = stage.status()["revision"]
        promise(applied > before, f"with room again a policy is applied: revision {before}, and then {applied}")
    finally:
        must("systemctl", "stop", "bartizand")
        for path in (full, STATE / "full-2"):
            path.unlink(missing_ok=True)
        back_on_the_disk()
        must("systemctl", "start", "bartizand")
    promise(stage.enforcing(), "on a disk with room it enforces")
    promise(stage.status()["revision"] == applied, f"and goes on where it was: {applied}, and now {stage.status()['revision']}")
