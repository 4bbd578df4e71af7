# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The part of scripts/bench kernel that runs in the guest: every configuration after the other, in one boot.

Prints one JSON object, {configuration: {operation: instructions}}; what it is doing goes to stderr. Ends with 1 when the
governed task turns out not to be governed, or an ungoverned one to be."""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

BENCH = pathlib.Path("/root/bench")
# Reading is SSH.read and chmod is SSH.write: what is opened has a label, and the model grants it.
FOLDER = "/etc/ssh/sshd_config.d/acts"
ACTS = f"{BENCH}/acts --folder {FOLDER}"
CGROUPS = pathlib.Path("/sys/fs/cgroup/system.slice")
PINS = pathlib.Path("/sys/fs/bpf/bartizan")
EMPTY = pathlib.Path("/sys/fs/bpf/empty")
PATCHED = pathlib.Path("/sys/kernel/tracing/enabled_functions")
LOG = pathlib.Path("/run/bartizand.err")
SERVICE = "acts"
# An act that the policy denies to the service, and that changes nothing where it is not denied.
FORBIDDEN = "chmod 644 /etc/passwd"


class Wrong(Exception):
    """The run cannot be trusted."""


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def output(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise Wrong(f"`{shlex.join(command)}` ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def wait_for(what, question, seconds=60):
    deadline = time.monotonic() + seconds
    while not question():
        if time.monotonic() > deadline:
            raise Wrong(f"{what}: not within {seconds} s of the guest's time")
        time.sleep(0.1)


class Place:
    """A shell in a cgroup. What it starts is born there, as a unit's processes are, and has the shell's label."""

    def __init__(self, unit):
        cgroup = CGROUPS / unit
        cgroup.mkdir(parents=True)
        self.shell = subprocess.Popen(["/bin/sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        (cgroup / "cgroup.procs").write_text(str(self.shell.pid))

    def run(self, line):
        """Exit status, standard output and standard error of a command."""
        self.shell.stdin.write(f"{{ {line}; }} </dev/null >/run/out 2>/run/err; echo $?\n")
        self.shell.stdin.flush()
        status = int(self.shell.stdout.readline())
        return status, pathlib.Path("/run/out").read_text(), pathlib.Path("/run/err").read_text()

    def must(self, line):
        status, out, err = self.run(line)
        if status != 0:
            raise Wrong(f"`{line}` ended with {status}: {out}{err}")
        return out

    def measure(self, more=""):
        """Instructions by operation."""
        rows = map(json.loads, self.must(f"{ACTS} {more}").splitlines())
        return {row["operation"]: row["instructions"] for row in rows}


def hooks():
    """What is attached: the links with their programs' names (as far as the kernel keeps them), and the kernel functions
    that are patched. A function stays patched for a while after its link is gone."""
    names = {program["id"]: program.get("name") for program in json.loads(output("bpftool", "-j", "prog", "list"))}
    links = [link for link in json.loads(output("bpftool", "-j", "link", "list")) if link["type"] == "tracing"]
    functions = re.findall(r"^\S+", PATCHED.read_text(), re.MULTILINE)
    return sorted([(link["attach_type"], names[link["prog_id"]]) for link in links] + [("function", name) for name in functions])


def audited():
    """Records about the service, each counted with its repeats."""
    lines = output("bartizan", "audits", "--service", SERVICE, "--json").splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] != "lifecycle"]


def loss():
    """What Bartizan had to give up, by kind. `bartizan status` fails unless it is enforcing."""
    return json.loads(output("bartizan", "status", "--json"))["loss"]


class Bartizan:
    """The installed daemon, started as its unit would be, and the measured service in it."""

    def start(self):
        # The shell in the unit's cgroup becomes the daemon.
        place = Place("bartizand.service")
        place.shell.stdin.write(f"mkdir -p /run/bartizan && exec /usr/bin/bartizand </dev/null 2>{LOG}\n")
        place.shell.stdin.flush()
        self.process = place.shell
        wait_for("bartizand answers", self.answers)
        wait_for(f"the service {SERVICE} is known", lambda: SERVICE in self.services())

    def answers(self):
        if self.process.poll() is not None:
            raise Wrong(f"bartizand has ended with {self.process.returncode}:\n{LOG.read_text()[-2000:]}")
        return subprocess.run(["bartizan", "status"], stdin=subprocess.DEVNULL, capture_output=True).returncode == 0

    def services(self):
        return {service["name"]: service for service in json.loads(output("bartizan", "services", "--json"))}

    def graduate(self, governed):
        """Lets the service learn what will be measured and makes it active."""
        governed.must(f"{ACTS} --once && {ACTS} --once --cold")
        wait_for("reading and writing are learned",
                 lambda: {"read", "write"} <= set(self.services()[SERVICE]["granted"].get("SSH", [])))
        output("bartizan", "activate", SERVICE)
        state = self.services()[SERVICE]
        if state["state"] != "active":
            raise Wrong(f"the service is {state['state']} after `bartizan activate`")
        say(f"{SERVICE} is active; its model grants {state['granted']}")

    def stop(self):
        """Ends the daemon and the enforcement, which outlives it."""
        self.process.terminate()
        self.process.wait(60)
        for directory, _, files in os.walk(PINS, topdown=False):
            for file in files:
                os.unlink(os.path.join(directory, file))
            os.rmdir(directory)
        wait_for("the hooks are free", lambda: not hooks())


def prove(governed, ungoverned):
    """The denial that shows who is governed and who is not."""
    ungoverned.must(FORBIDDEN)
    status, _, err = governed.run(FORBIDDEN)
    if status == 0 or "Operation not permitted" not in err:
        raise Wrong(f"the governed task is not governed: `{FORBIDDEN}` ended with {status} {err}")
    said = []
    wait_for("the denial is in the audit trail", lambda: said.extend(r["message"] for r in audited() if r["verdict"] == "deny") or said)
    say(f"proof: `{FORBIDDEN}` is denied to the governed task and to no other: {said[0]}")


def with_bartizan(governed, ungoverned):
    """Every configuration in which Bartizan enforces, and the hooks and programs that it took."""
    bartizan = Bartizan()
    bartizan.start()
    bartizan.graduate(governed)
    say("measuring: bartizan")
    prove(governed, ungoverned)
    before = audited(), loss()
    measured = {
        "bartizan ungoverned": ungoverned.measure(),
        "bartizan governed warm": governed.measure(),
        "bartizan governed cold": governed.measure("--cold"),
    }
    # Steady state means no event, and nothing that had to be given up.
    after = audited(), loss()
    if after != before:
        raise Wrong(f"what was measured was no steady state: {before} became {after}")
    taken = hooks(), sorted(link.name for link in PINS.glob("*/links/*"))
    prove(governed, ungoverned)
    bartizan.stop()
    return measured, *taken


def empty(governed, taken, programs):
    """Nothing but an empty program on each hook that Bartizan took."""
    say(f"measuring: empty programs on {', '.join(programs)}")
    output(f"{BENCH}/empty", str(EMPTY), *(f"{BENCH}/programs/{program}.o" for program in programs))
    if hooks() != taken:
        raise Wrong(f"the empty programs are on other hooks than Bartizan: {hooks()} instead of {taken}")
    measured = governed.measure()
    for link in EMPTY.glob("*"):
        link.unlink()
    wait_for("the hooks are free", lambda: not hooks())
    return measured


def nothing(governed):
    say("measuring: nothing loaded")
    if hooks():
        raise Wrong(f"something is loaded: {hooks()}")
    governed.must(FORBIDDEN)
    return {"nothing loaded": governed.measure(), "nothing loaded, cold": governed.measure("--cold")}


def main():
    governed, ungoverned = Place(f"{SERVICE}.service"), Place(f"{SERVICE}.scope")
    first = nothing(governed)
    measured, taken, programs = with_bartizan(governed, ungoverned)
    measured["empty programs"] = empty(governed, taken, programs)
    last = nothing(governed)
    return {"release": os.uname().release, "baselines": [first, last], "measured": measured}


if __name__ == "__main__":
    try:
        print(json.dumps(main()))
    except Wrong as wrong:
        say(wrong)
        sys.exit(1)
