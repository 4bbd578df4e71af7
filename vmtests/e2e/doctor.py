# SPDX-License-Identifier: Apache-2.0 OR MIT
"""`bartizan doctor`: what it says about this kernel is what is attached, and what is missing is named with its mend."""

import json
import platform

import stage
from ground import rules_hold
from stage import must, promise, run
from suite import test

REQUIRED = {"user", "kernel", "LSM list", "BTF", "LSM program", "lockdown", "IMA", "label storage", "cgroup v2", "bpffs", "memory", "switch",
            "distribution"}


def findings(done):
    return {one["what"]: one for one in json.loads(done.stdout)["findings"]}


@test
def doctor_names_every_hook_with_its_prototype_and_program():
    rules_hold()
    done = run("bartizan", "doctor", "--json")
    promise(done.returncode == 0 and json.loads(done.stdout)["can_enforce"], f"this machine can enforce: {done}")
    found = findings(done)
    promise(REQUIRED <= set(found), f"each requirement has a line, missing: {REQUIRED - set(found)}")
    promise(all(one["mend"] is None for one in found.values() if one["state"] == "good"), "what is good needs no mend")
    told = {what.removeprefix("hook "): one["seen"] for what, one in found.items() if what.startswith("hook ")}
    attached = {hook["name"]: hook["program"] for hook in stage.status()["hooks"]}
    absent = {name for name, seen in told.items() if "does not have it" in seen}
    promise(set(told) - absent == set(attached), f"the hooks are those that are attached: {set(told) ^ set(attached)}")
    wrong = [name for name, program in attached.items() if not told[name].endswith(f" by program {program}")]
    promise(not wrong, f"each program is the one that is attached: {wrong}")
    first = "(dentry*, iattr*)" if platform.release().startswith("6.1.") else "(mnt_idmap*, dentry*, iattr*)"
    promise(told["inode_setattr"].startswith(first), f"the prototype is this kernel's: {told['inode_setattr']}")


@test
def doctor_for_people_has_a_line_each():
    lines = must("bartizan", "doctor").splitlines()
    promise(lines[-1] == "Bartizan can enforce on this machine.", f"it ends with its verdict: {lines[-1]}")
    promise(all(line.startswith(("good  ", "note  ", "      mend: ")) for line in lines[:-1]), f"a line each: {lines}")
    promise(any(line.startswith("good  bpffs: at /sys/fs/bpf") for line in lines), "among them that of bpffs")


@test
def doctor_says_what_is_missing_and_how_to_mend_it():
    done = run("unshare", "--mount", "sh", "-c", "umount -l /sys/fs/bpf && exec bartizan doctor --json")
    found = findings(done)
    promise(done.returncode == 3 and not json.loads(done.stdout)["can_enforce"], f"without bpffs it ends with 3: {done}")
    bad = [what for what, one in found.items() if one["state"] == "bad"]
    promise(bad == ["bpffs"] and "mount -t bpf" in found["bpffs"]["mend"], f"it names what is missing and the mend: {bad} {found['bpffs']}")
