# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Bartizan in the benchmark's guest: the daemon without systemd, and each configuration in which it enforces."""

import json
import os
import pathlib
import re
import signal
import subprocess

import memory
from place import ACTS, BENCH, REFUSED, Place, Wrong, output, say, wait_for

PINS = pathlib.Path("/sys/fs/bpf/bartizan")
PATCHED = pathlib.Path("/sys/kernel/tracing/enabled_functions")
LOG = pathlib.Path("/run/bartizand.err")
SWITCH = "/run/switch.sock"
GOVERNED, LEARNING = "acts", "pupil"
PAIRS = 61
# The acts that vary by more than what is added to them.
PAIRED = ("spawn+exec", "spawn+exec static", "create+unlink", "rename", "unix connect")
# The act that everything in this benchmark denies, or reports, as its proof.
FORBIDDEN = "cat /etc/shadow"


def hooks():
    """What is attached: the links with their programs' names (as far as the kernel keeps them), and the kernel functions
    that are patched. A function stays patched for a while after its link is gone."""
    names = {program["id"]: program.get("name") for program in json.loads(output("bpftool", "-j", "prog", "list"))}
    links = [link for link in json.loads(output("bpftool", "-j", "link", "list")) if link["type"] == "tracing"]
    functions = re.findall(r"^\S+", PATCHED.read_text(), re.MULTILINE)
    return sorted([(link["attach_type"], names[link["prog_id"]]) for link in links] + [("function", name) for name in functions])


def audited(service=GOVERNED):
    """Records about a service, each counted with its repeats."""
    lines = output("bartizan", "audits", "--service", service, "--json").splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] != "lifecycle"]


def refusals():
    """Records of refused acts on the files that refusals are measured with."""
    return [one for one in audited() if one["verdict"] == "deny" and (one["path"] or "").startswith(str(REFUSED))]


def loss():
    """What Bartizan had to give up, by kind. `bartizan status` fails unless it is enforcing."""
    return json.loads(output("bartizan", "status", "--json"))["loss"]


class Bartizan:
    """The installed daemon, started as its unit would be, and the measured services in it."""

    def start(self):
        # The shell in the unit's cgroup becomes the daemon.
        place = Place("bartizand.service")
        place.shell.stdin.write(f"mkdir -p /run/bartizan && exec /usr/bin/bartizand </dev/null 2>{LOG}\n")
        place.shell.stdin.flush()
        self.process = place.shell
        wait_for("bartizand answers", self.answers)
        wait_for("the services are known", lambda: {GOVERNED, LEARNING} <= set(self.services()))

    def answers(self):
        if self.process.poll() is not None:
            raise Wrong(f"bartizand has ended with {self.process.returncode}:\n{LOG.read_text()[-2000:]}")
        return subprocess.run(["bartizan", "status"], stdin=subprocess.DEVNULL, capture_output=True).returncode == 0

    def services(self):
        return {service["name"]: service for service in json.loads(output("bartizan", "services", "--json"))}

    def learned(self):
        """Both have done the same, so both models must grant the same in the end."""
        one, other = (self.services()[service]["granted"] for service in (GOVERNED, LEARNING))
        return one == other and {"read", "write"} <= set(one.get("SSH", [])) and "connect" in one.get("DOCKER_SOCKET", [])

    def graduate(self, governed, pupil):
        """Lets both services learn what will be measured, and makes one of them active."""
        governed.once()
        pupil.once()
        try:
            wait_for("what both services do is learned", self.learned)
        except Wrong as late:
            models = {name: self.services()[name]["granted"] for name in (GOVERNED, LEARNING)}
            raise Wrong(f"{late}: {models}; lost: {loss()}") from late
        output("bartizan", "activate", GOVERNED)
        for service, wanted in ((GOVERNED, "active"), (LEARNING, "learning")):
            state = self.services()[service]
            if state["state"] != wanted:
                raise Wrong(f"{service} is {state['state']} and not {wanted}")
        say(f"{GOVERNED} is active; its model grants {self.services()[GOVERNED]['granted']}")

    def end(self):
        """Ends the daemon; the enforcement outlives it."""
        self.process.terminate()
        self.process.wait(60)

    def refuse(self, governed):
        """What a refusal costs. The daemon stands still meanwhile, since on one processor its own work would be counted."""
        before, lost = len(refusals()), loss()
        self.process.send_signal(signal.SIGSTOP)
        again, first = (governed.rows(f"--way {way} --refusing") for way in ("refusal", "first-refusal"))
        self.process.send_signal(signal.SIGCONT)
        acts = again[0]["acts"] + first[0]["acts"]
        told = []
        wait_for("each refusal is accounted for", lambda: told.append(refusals()) or sum(one["count"] for one in told[-1]) >= acts)
        counted, files = sum(one["count"] for one in told[-1]), {one["path"] for one in told[-1]}
        if before or counted != acts or len(files) != first[0]["acts"] + 1 or loss() != lost:
            raise Wrong(f"{acts} refusals of {first[0]['acts'] + 1} files gave {counted} of {len(files)}; loss: {lost}, then {loss()}")
        say(f"{acts} acts were refused, {len(files)} for the first time, and the records say so exactly")
        return {"bartizan denied": {"open+close": again[0]["instructions"]},
                "bartizan denied first": {"open+close": first[0]["instructions"]}}


def clear(directory):
    """Removes pins, with which the programs go unless somebody holds them."""
    for folder, _, files in os.walk(directory, topdown=False):
        for file in files:
            os.unlink(os.path.join(folder, file))
        os.rmdir(folder)


def pairs(governed):
    """Pairs of acts without and with all of Bartizan's programs attached. They are detached afterwards."""
    links = sorted(map(str, PINS.glob("*/links/*")))
    with subprocess.Popen([f"{BENCH}/switch", SWITCH, *links], stdout=subprocess.PIPE, text=True) as switch:
        if switch.stdout.readline() != "ready\n":
            raise Wrong("the switch of the programs does not start")
        clear(PINS)
        wanted = " ".join(f"--operation '{operation}'" for operation in PAIRED)
        rows = governed.rows(f"--pairs {PAIRS} --switch {SWITCH} {wanted}")
    wait_for("the hooks are free", lambda: not hooks())
    return {row["operation"]: row["pairs"] for row in rows}


def prove(governed, ungoverned):
    """The denial that shows who is governed and who is not."""
    ungoverned.must(FORBIDDEN)
    status, _, err = governed.run(FORBIDDEN)
    if status == 0 or "Operation not permitted" not in err:
        raise Wrong(f"the governed task is not governed: `{FORBIDDEN}` ended with {status} {err}")
    message = "Service acts attempted to obtain capability USERS_ADMIN by reading /etc/shadow"
    wait_for("the denial is in the audit trail", lambda: message in [one["message"] for one in audited() if one["verdict"] == "deny"])
    say(f"proof: `{FORBIDDEN}` is denied to the governed task and to no other: {message}")


def measure(governed, ungoverned, pupil, inodes):
    """Every configuration in which Bartizan enforces; the pairs; the memory; and the hooks and programs that it took."""
    bartizan = Bartizan()
    bartizan.start()
    bartizan.graduate(governed, pupil)
    say("measuring: bartizan")
    prove(governed, ungoverned)
    before = audited(), audited(LEARNING), loss()
    measured = {"bartizan ungoverned": ungoverned.warm(), "bartizan governed warm": governed.warm(),
                "bartizan governed cold": governed.cold(), "bartizan learning": pupil.warm()}
    # Steady state means no event, and nothing that had to be given up.
    after = audited(), audited(LEARNING), loss()
    if after != before:
        raise Wrong(f"what was measured was no steady state: {before} became {after}")
    say("measuring: refusals, memory, pairs")
    measured |= bartizan.refuse(governed)
    used = memory.used(governed, inodes)
    prove(governed, ungoverned)
    taken = hooks(), sorted(link.name for link in PINS.glob("*/links/*"))
    bartizan.end()
    return measured, pairs(governed), used, *taken
