# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Where the acts of scripts/bench kernel happen: a shell in a cgroup of its own, and what is measured from it."""

import json
import pathlib
import shlex
import subprocess
import sys
import time

BENCH = pathlib.Path("/root/bench")
CGROUPS = pathlib.Path("/sys/fs/cgroup/system.slice")
# Reading is SSH.read and changing is SSH.write: what is opened has a label, and the model grants it. The socket is
# DOCKER_SOCKET's. What is refused is USERS_ADMIN.write, five names deep like the others.
FOLDER = "/etc/ssh/sshd_config.d/acts"
REFUSED = pathlib.Path("/etc/pam.d/acts/refused")
ACTS = f"{BENCH}/acts --folder {FOLDER} --shallow /etc/ipsec.secrets --socket /run/docker.sock --refused {REFUSED}"
MAPPED = f"{BENCH}/mapped"
# What is mapped executable.
MAPPED_FILE = "/bin/true"


class Wrong(Exception):
    """The run cannot be trusted."""


def say(text):
    print(f"bench: {text} ({time.monotonic():.0f} s of the guest's time)", file=sys.stderr, flush=True)


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


def answer(main):
    """Ends a guest's program: prints what it measured as one JSON object, or says why the run cannot be trusted and fails."""
    try:
        print(json.dumps(main()))
    except Wrong as wrong:
        say(wrong)
        sys.exit(1)


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

    def once(self):
        """Each act once, so that a learning service has done what will be measured."""
        self.must(f"{ACTS} --once && {ACTS} --once --way cold && {MAPPED} --once {MAPPED_FILE}")

    def rows(self, more):
        return [json.loads(row) for row in self.must(f"{ACTS} {more}").splitlines()]

    def warm(self, before="", more=""):
        """Instructions by operation. `before` is what starts the programs, if anything does."""
        lines = self.must(f"{before} {ACTS} {more} && {before} {MAPPED} {MAPPED_FILE}").splitlines()
        return {row["operation"]: row["instructions"] for row in map(json.loads, lines)}

    def cold(self):
        return {row["operation"]: row["instructions"] for row in self.rows("--way cold")}
