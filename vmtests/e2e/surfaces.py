# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What people and programs are given: choosing among records, following them, metrics, manual pages, completions, specific errors."""

import json
import os
import pathlib
import re
import subprocess

import stage
from audit import audits, record
from callers import as_user
from ground import rules_hold, victim
from stage import must, promise, run, wait_for
from suite import test

SOCKET = "/run/bartizan/api.sock"
CONFIGURATION = pathlib.Path("/etc/bartizan/bartizan.toml")
# One program that speaks HTTP over a Unix socket and TCP, and is on every guest.
CLIENT = """
import http.client, socket, sys
class Local(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sys.argv[1])
local = sys.argv[1].startswith("/")
connection = Local("x") if local else http.client.HTTPConnection(sys.argv[1], timeout=10)
connection.request("GET", sys.argv[2])
answer = connection.getresponse()
print(answer.status)
print(answer.read().decode())
"""


def get(where, path):
    """The status and the body of an answer."""
    status, body = must("python3", "-c", CLIENT, where, path).split("\n", 1)
    return int(status), body


def metrics(where=SOCKET):
    status, body = get(where, "/metrics")
    promise(status == 200, f"/metrics answers: {status} {body}")
    lines = [line.rsplit(" ", 1) for line in body.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def denied(found):
    return sum(count for name, count in found.items() if name.startswith("bartizan_decisions_total") and 'verdict="deny"' in name)


def decided(found, hook):
    """What a hook has refused, and permitted and had recorded."""
    return {verdict: found[f'bartizan_hook_decisions_total{{hook="{hook}",verdict="{verdict}"}}'] for verdict in ("deny", "audit")}


def more(counts, deny=0, audit=0):
    return {"deny": counts["deny"] + deny, "audit": counts["audit"] + audit}


@test
def records_are_chosen_by_what_they_are_about():
    rules_hold()
    path = "/etc/sudoers.d/chosen"
    victim.must_deny("opened", path, os.O_WRONLY | os.O_CREAT)
    found = record(f"Service victim attempted to obtain capability USERS_ADMIN by writing {path}")
    wanted = ["--service", "victim", "--verdict", "deny", "--since", "10m", "--kind", "capability,tamper"]
    promise(found in audits(*wanted, "--capability", "USERS_ADMIN,SSH"), "each choice has it")
    for other in (["--verdict", "audit"], ["--capability", "SSH"], ["--kind", "loss"], ["--until", found["time"]], ["--service", "clerk"]):
        promise(found not in audits(*other), f"{other} does not have it")
    promise([one["id"] for one in audits("--limit", "3")] == [one["id"] for one in audits()][-3:], "--limit gives the newest")
    for wrong, said in ((["--since", "soon"], "expected a time"), (["--capability", "USER_ADMIN"], "did you mean USERS_ADMIN?"),
                        (["--service", "victmi"], "did you mean victim?")):
        done = run("bartizan", "audits", *wrong)
        promise(done.returncode == 2 and said in done.stderr, f"{wrong} is told what is wrong: {done}")


@test
def metrics_count_every_refusal():
    rules_hold()
    before = metrics()
    promise(before['bartizan_enforcement_state{state="enforcing"}'] == 1 and before["bartizan_differences"] == 0, f"the state: {before}")
    promise(before["bartizan_revision"] == stage.status()["revision"], "the revision")
    promise(before['bartizan_hooks{state="attached"}'] == len(stage.status()["hooks"]), "the hooks")
    promise(before['bartizan_services{state="active"}'] >= 1, "the services")
    promise(0 < before['bartizan_map_entries{map="edges"}'] < before['bartizan_map_capacity{map="edges"}'], "the fill of the maps")
    acts = 37
    victim.do(*[["opened", "/etc/sudoers.d/metrics", os.O_WRONLY | os.O_CREAT]] * acts)
    wait_for("repeats are in it as well", lambda: denied(metrics()) >= denied(before) + acts)
    now = metrics()
    promise(decided(now, "inode_create") == more(decided(before, "inode_create"), deny=acts),
            f"the hook that refused has counted each: {decided(before, 'inode_create')}, then {decided(now, 'inode_create')}")
    victim.do(["opened", "/etc/hostname", os.O_RDONLY])
    same = metrics()
    promise(all(decided(same, hook) == decided(now, hook) for hook in ("file_open", "inode_create")), "what is permitted counts nowhere")


@test
def metrics_count_what_is_permitted_and_recorded_once_for_each_act():
    rules_hold()
    file, other, acts = "/etc/hosts.allow", "/etc/hosts.deny", 19
    for path in (file, other):
        victim.must_allow("opened", path, os.O_WRONLY | os.O_CREAT)
    before = metrics()
    # Reading needs nothing here.
    victim.do(*[["opened", file, os.O_RDWR]] * acts, *[["opened", file, os.O_RDONLY]] * acts)
    victim.must_allow("rename", file, other)
    # Programs are told so that user space can look which are new.
    victim.do(*[["execute", "/usr/bin/true"]] * 3)
    now = metrics()
    for hook, count in (("file_open", acts), ("inode_rename", 1), ("inode_create", 0), ("bprm_check_security", 0)):
        promise(decided(now, hook) == more(decided(before, hook), audit=count), f"{hook}: {decided(before, hook)}, then {decided(now, hook)}")
    must("systemctl", "restart", "bartizand")
    wait_for("it enforces", stage.enforcing)
    promise(decided(metrics(), "file_open") == decided(now, "file_open"), "the kernel's counts outlive the daemon")


@test
def metrics_on_the_loopback_device_and_nowhere_else():
    rules_hold()
    text = CONFIGURATION.read_text()
    try:
        CONFIGURATION.write_text('metrics = "127.0.0.1:9464"\n' + text)
        must("systemctl", "restart", "bartizand")
        wait_for("it enforces", stage.enforcing)
        found = json.loads(as_user("nobody", ["python3", "-c", CLIENT.replace("print(answer.status)", "import json")
                                              .replace("answer.read().decode()", "json.dumps(answer.read().decode())"),
                                              "127.0.0.1:9464", "/metrics"]).stdout)
        promise("bartizan_revision" in found, f"any user of the machine reads them: {found[:200]}")
        promise(get("127.0.0.1:9464", "/v1/audits")[0] == 404, "and nothing else is there")
        CONFIGURATION.write_text('metrics = "0.0.0.0:9464"\n' + text)
        done = run("/usr/bin/bartizand")
        promise(done.returncode == 2 and "loopback" in done.stderr, f"another address is refused: {done}")
    finally:
        CONFIGURATION.write_text(text)
        must("systemctl", "restart", "bartizand")
        wait_for("it enforces", stage.enforcing)


@test
def following_goes_on_over_a_restart_of_the_daemon():
    rules_hold()
    paths = ["/etc/sudoers.d/follow-1", "/etc/sudoers.d/follow-2"]
    command = ["bartizan", "audits", "--follow", "--json", "--service", "victim", "--limit", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
        try:
            for path in paths:
                victim.must_deny("opened", path, os.O_WRONLY | os.O_CREAT)
                promise(any(json.loads(line)["path"] == path for line in follower.stdout), f"{path} is shown")
                if path == paths[0]:
                    must("systemctl", "restart", "bartizand")
                    wait_for("it enforces", stage.enforcing)
        finally:
            follower.kill()


@test
def manual_pages_and_completions_are_installed():
    page = pathlib.Path("/usr/share/man/man1/bartizan-audits.1").read_text()
    promise("since" in page and "Examples" in page, "the page of a command has its options and examples")
    promise(pathlib.Path("/usr/share/man/man8/bartizand.8").exists(), "the daemon has a page")
    for path in ("bash-completion/completions/bartizan", "zsh/vendor-completions/_bartizan", "fish/vendor_completions.d/bartizan.fish"):
        promise("rollback" in pathlib.Path("/usr/share", path).read_text(), f"{path} is installed")


@test
def who_cannot_ask_is_told_what_to_do():
    rules_hold()
    done = as_user("nobody", ["/usr/bin/bartizan", "services"])
    promise(done.returncode == 3 and "usermod -aG bartizan" in done.stderr, f"the group is named: {done}")
    try:
        must("systemctl", "stop", "bartizand")
        for command in (["services"], ["audits", "--follow"], ["activate", "victim"]):
            done = run("bartizan", *command)
            promise(done.returncode == 3 and "systemctl start bartizand" in done.stderr, f"how to start the daemon is told: {done}")
            promise("what it pinned is enforced all the same" in done.stderr, f"and that the kernel goes on: {done}")
    finally:
        must("systemctl", "start", "bartizand")
        wait_for("it enforces", stage.enforcing)


@test
def the_document_is_served_and_the_routes_answer():
    rules_hold()
    status, body = get(SOCKET, "/openapi.json")
    paths = json.loads(body)["paths"]
    promise(status == 200 and len(paths) > 20, f"the document: {status}")
    for path, methods in paths.items():
        if "get" in methods and "{" not in path and path not in ("/v1/audits/stream", "/v1/explain"):
            status, body = get(SOCKET, path)
            promise(status == 200, f"{path} answers: {status} {body[:300]}")
    promise(re.search(r"did you mean victim\?", get(SOCKET, "/v1/services/victmi")[1]), "a name that nobody knows")
