# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What a service would have others do for it: PID 1, the kernel's own helpers, user managers, whoever sits at a terminal. Each act
succeeds without a rule, is refused with one, and is on record."""

import contextlib
import functools
import json
import os
import pathlib
import pty
import signal
import stat
import subprocess

import suite
from audit import audits, firsts, last, record
from ground import AREA, RULES, apply, rules_hold
from service import Service
from stage import must, promise, run, wait_for
from suite import once, test

RULE = "the proxy acts for itself"
# What is not prevented is needed for the acts themselves.
POLICY = RULES + f"""
[[rule]]
name = "{RULE}"
services = ["e2e-proxy"]

[rule.capabilities]
HOSTS_CONFIG = "prevent"
PRIVILEGED_PROCESSES = "prevent"
SERVICE_OPERATOR = "prevent"
INSTALLER = "allow"
"""
proxy = Service("e2e-proxy", ["ExecReload=/usr/bin/true"])
WRITE = os.O_WRONLY | os.O_CREAT
TERMINAL = {}
HERE = AREA / "proxy"
AF_ALG = 38


def here(name):
    return str(HERE / name)


def privileged(words):
    return "PRIVILEGED_PROCESSES", words


def operator(words):
    return "SERVICE_OPERATOR", words


def terminal():
    """A terminal with nobody at it."""
    if not TERMINAL:
        TERMINAL["master"], TERMINAL["slave"] = pty.openpty()
    return os.ttyname(TERMINAL["slave"])


def unloaded():
    """Whatever answered for the family before is gone."""
    for name in ("algif_hash", "algif_skcipher", "af_alg"):
        run("rmmod", name)


def node(major, minor):
    path = here(f"node-{major}-{minor}")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(major, minor))
    return path


def user_socket():
    """The socket of root's own manager: this session has it started."""
    must("systemctl", "start", "user@0.service")
    return "/run/user/0/systemd/private"


# Name, the act or what makes it, the answers without and with the rule, and what is on record.
OK, NO = ("ok",), ("EPERM",)
ACTS = [
    ("a signal to PID 1", lambda: ["kill", 1, signal.SIGRTMIN + 21], OK, NO, operator("performing signal_init on ")),
    ("how modprobe is to work", lambda: ["opened", "/run/modprobe.d/e2e.conf", WRITE], OK, NO, privileged("writing /run/modprobe.d/e2e.conf")),
    ("how keys are asked for", lambda: ["opened", "/etc/request-key.conf", WRITE], OK, NO, privileged("writing /etc/request-key.conf")),
    ("a kind of socket that is a module", lambda: ["protocol", AF_ALG], ("ok", "ESOCKTNOSUPPORT"), ("EAFNOSUPPORT",),
     ("HOSTS_CONFIG", "performing module_request")),
    ("a file system without a mount", lambda: ["file_system", "tmpfs"], OK, NO, privileged("performing mount")),
    ("binfmt_misc by its descriptor", lambda: ["file_system", "binfmt_misc"], OK, NO, privileged("performing mount")),
    ("typing into a terminal", lambda: ["type_into", terminal()], OK, NO, privileged("performing terminal_input on /dev/pts/")),
    ("typing as a 32-bit program", lambda: ["type_into", terminal(), True], OK, NO, privileged("performing terminal_input on /dev/pts/")),
    ("a keyboard of its own", lambda: ["opened", node(10, 223), os.O_WRONLY], ("ENXIO", "ENODEV", "ok"), NO,
     privileged(f"writing {here('node-10-223')}")),
    ("a node of who knows what", lambda: ["mknod", here("unknown"), stat.S_IFCHR | 0o600, os.makedev(249, 7)], OK, NO,
     privileged(f"writing {here('unknown')}")),
    ("a set-user-id program at once", lambda: ["opened", here("suid"), WRITE, 0o4755], OK, NO, privileged(f"writing {here('suid')}")),
    ("a set-user-id program without a name", lambda: ["without_name", str(HERE), 0o4755], OK, NO, privileged("writing ")),
    ("a cgroup of its own", lambda: ["cgroup_made", "e2e-own"], OK, NO, operator("performing move_processes on /sys/fs/cgroup/e2e-own/cgroup.procs")),
    ("a cgroup far down", lambda: ["cgroup_made", *["deep"] * 30], OK, NO, operator("performing move_processes on /sys/fs/cgroup/deep/")),
    ("the manager of root's units", lambda: ["connect_unix", user_socket()], OK, NO, operator("connecting to /run/user/0/systemd/private")),
]


@once
def proxy_runs():
    """It has done everything without a rule."""
    rules_hold()
    HERE.mkdir(exist_ok=True)
    pathlib.Path("/run/modprobe.d").mkdir(exist_ok=True)
    proxy.start()
    return {name: attempt(act) for name, act, *_ in ACTS}


def attempt(act):
    unloaded()
    for path in ("/run/modprobe.d/e2e.conf", "/etc/request-key.conf", here("suid"), here("unknown")):
        pathlib.Path(path).unlink(missing_ok=True)
    return proxy.one(*act())


@once
def refused():
    proxy_runs()
    apply(POLICY)
    return last(), {name: attempt(act) for name, act, *_ in ACTS}


def check(name, without, with_rule, told):
    answer = proxy_runs()[name]
    promise(answer in without, f"without a rule: one of {without}, but: {answer}")
    since, answers = refused()
    promise(answers[name] in with_rule, f"with the rule: one of {with_rule}, but: {answers[name]}")
    capability, words = told
    found = lambda: [one for one in audits("--service", "e2e-proxy") if one["id"] > since and words in one["message"]
                     and one["verdict"] == "deny" and capability in one["capabilities"] and one["rule"] == RULE]
    wait_for(f"a record of `{words}` with the rule", found)


for its_name, _, its_without, its_with, its_words in ACTS:
    suite.enter(f"by others, {its_name}", functools.partial(check, its_name, its_without, its_with, its_words))


@test
def a_process_that_is_prepared_for_the_service():
    """`systemctl reload` has PID 1 prepare a process in the service's cgroup, which is not governed before it executes."""
    refused()
    since = last()

    def caught():
        with subprocess.Popen(["sh", "-c", "for i in 1 2 3 4 5 6; do systemctl reload e2e-proxy; done"], stderr=subprocess.DEVNULL):
            answer = proxy.one("newborn", 4)
        return answer if answer != "ok" else None  # "ok": none came by

    answer = wait_for("the service finds a process that is being prepared", caught, 120)
    promise(answer[1] == "EPERM", f"it may not seize it: {answer}")
    wait_for("that is on record", lambda: [one for one in audits("--service", "e2e-proxy") if one["id"] > since
                                           and "performing ptrace" in one["message"] and one["verdict"] == "deny"], 20)


def daemon():
    return int(must("systemctl", "show", "-p", "MainPID", "--value", "bartizand"))


@test
def a_signal_by_way_of_a_pipe():
    refused()
    before = daemon()
    for number in (signal.SIGKILL, signal.SIGSTOP):
        proxy.one("ready_signal", before, number)
    must("bartizan", "status")
    promise(daemon() == before, "the daemon runs on")
    found = record("Service e2e-proxy attempted to tamper with Bartizan by performing signal on /usr/bin/bartizand")
    promise(found["kind"] == "tamper" and found["verdict"] == "deny", f"it is on record: {found}")


@test
def limits_and_priorities_of_the_daemon():
    """Needs no rule; a session may."""
    refused()
    for act in ("limited", "scheduled", "niced"):
        proxy.must_deny(act, daemon())
    found = record("Service e2e-proxy attempted to tamper with Bartizan by performing limits on /usr/bin/bartizand")
    promise(found["kind"] == "tamper" and found["verdict"] == "deny", f"it is on record: {found}")
    must("prlimit", f"--pid={daemon()}", "--nofile=65536:524288")


@test
def numbers_of_services_are_not_used_up():
    refused()
    proxy.must_allow("cgroups_named", "e2e-nobody", 40)
    names = [one["name"] for one in json.loads(must("bartizan", "services", "--json"))]
    promise(not [name for name in names if name.startswith("e2e-nobody")], "cgroups that a service made are no services")
    # PID 1 decides: a unit of such a name is one.
    must("systemd-run", "-q", "--wait", "--unit=e2e-nobody1.service", "/usr/bin/true")
    wait_for("a unit of that name is a service", lambda: [one for one in json.loads(must("bartizan", "services", "--json"))
                                                          if one["name"] == "e2e-nobody1"], 20)


@test
def where_systemd_looks_for_units():
    """All of it: in each directory a unit, and a change of Bartizan's."""
    refused()
    since = last()
    paths = must("systemctl", "show", "-p", "UnitPath", "--value").split()
    promise(len(paths) > 10, f"systemd names its directories: {paths}")
    generators = [f"{where}/systemd/{kind}-{what}" for where in ("/etc", "/run") for kind in ("system", "user")
                  for what in ("generators", "environment-generators")]
    made = []
    try:
        for directory in map(pathlib.Path, [*paths, *generators, "/run/systemd/system.conf.d", "/run/systemd/user"]):
            for above in reversed([directory, *directory.parents]):
                if not above.exists():
                    above.mkdir()
                    made.append(above)
            proxy.must_deny("opened", str(directory / "e2e-evil.service"), WRITE)
            if str(directory) in paths and not str(directory).startswith(("/usr/lib", "/lib")):
                for name in ("bartizand.service", "bartizand.service.d", "service.d", "bartizan-.service.d"):
                    target = directory / name
                    # Another test may have left a change of its own there.
                    target = target / "e2e-evil" if target.is_dir() else target
                    proxy.must_deny("mkdir", str(target))
                    message = f"Service e2e-proxy attempted to tamper with Bartizan by writing {target}"
                    wait_for(message, lambda: firsts(message, [one for one in audits() if one["id"] > since]))
    finally:
        for one in reversed(made):
            with contextlib.suppress(OSError):
                one.rmdir()


@test
def a_user_manager_is_no_session():
    """Its units are exempt from rules, and change nothing all the same."""
    refused()
    user_socket()
    said = HERE / "said"
    said.unlink(missing_ok=True)
    must("env", "XDG_RUNTIME_DIR=/run/user/0", "systemd-run", "--user", "--collect", "-q", "sh", "-c",
         f"bartizan activate clerk > {said}.part 2>&1; echo $? >> {said}.part; mv {said}.part {said}")
    answer = wait_for("the manager's unit has asked", lambda: said.exists() and said.read_text())
    promise("user@" in answer and not answer.endswith("\n0\n"), f"it is refused, and told why: {answer}")
    record("Service user@ attempted to tamper with Bartizan by asking for `activate`", verdict="deny")


@test
def acting_by_others_leaves_nothing_behind():
    refused()
    apply(RULES)
    proxy.stop()
    for path in ("/run/modprobe.d/e2e.conf", "/etc/request-key.conf"):
        pathlib.Path(path).unlink(missing_ok=True)
    for descriptor in TERMINAL.values():
        os.close(descriptor)
