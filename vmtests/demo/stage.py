# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What the demo and the end-to-end tests have in common: a service to attack, and Bartizan's own words about it."""

import json
import os
import pathlib
import shutil
import subprocess
import time
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
POLICY = "/etc/bartizan/policy.d/demo.toml"
DROP_IN = "/run/systemd/system/bartizand.service.d/demo.conf"
RULE = "web servers must not manage users"


class NotAsPromised(Exception):
    """Something that Bartizan promises did not happen."""


def promise(kept, what):
    if not kept:
        raise NotAsPromised(what)


def run(*command, **more):
    """Runs a command; its output is text."""
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **more)


def must(*command):
    done = run(*command)
    promise(done.returncode == 0, f"`{' '.join(command)}` ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def wait_for(what, question, seconds=240):
    """Asks until the answer is true; a refusal to answer counts as no. The time is for a host on which several guests are emulated: a start
    of the daemon that takes seconds alone has taken more than a minute beside others."""
    deadline = time.monotonic() + seconds
    while True:
        found = question()
        if found:
            return found
        promise(time.monotonic() < deadline, f"{what}: not within {seconds} s")
        time.sleep(0.3)


def status():
    done = run("bartizan", "status", "--json")
    return json.loads(done.stdout) if done.stdout else {}


def enforcing():
    return status().get("enforcement") == "enforcing"


def services():
    return {one["name"]: one for one in json.loads(must("bartizan", "services", "--json"))}


def audits(service="http-server"):
    lines = must("bartizan", "audits", "--json", "--service", service).splitlines()
    return [json.loads(line) for line in lines]


def put_on_stage():
    """Installs and starts the service."""
    shutil.copy(HERE / "http-server.py", "/opt/http-server.py")
    shutil.copy(HERE / "http-server.service", "/etc/systemd/system/http-server.service")
    must("systemctl", "daemon-reload")
    must("systemctl", "restart", "http-server")
    wait_for("the web application answers", lambda: "Welcome" in get("/"))


def leave_the_stage():
    """Takes away what the other functions have put on the host; Bartizan itself stays."""
    run("systemctl", "stop", "http-server")
    for path in ("/opt/http-server.py", "/etc/systemd/system/http-server.service", POLICY, DROP_IN, "/etc/p"):
        pathlib.Path(path).unlink(missing_ok=True)
    run("systemctl", "daemon-reload")
    run("bartizan", "policy", "apply")


def get(path):
    """One request. What the application answered; nothing when it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:8080{path}", timeout=60) as answer:
            return answer.read().decode()
    except OSError:
        return ""


def lookup(name):
    """One request to the page with the hole."""
    return get(f"/lookup?name={urllib.parse.quote(name)}")


def traffic(rounds=3):
    for _ in range(rounds):
        promise("Welcome" in get("/"), "the front page is served")
        promise("localhost" in lookup("localhost"), "the lookup of localhost is answered")


def injected(command):
    """What makes the page run a command inside the service."""
    return f"localhost; {command}"


def python(code):
    return injected(f"python3 -c '{code}'")


USERADD = injected("useradd mallory")
RENAME = python('import os; open("/etc/p", "w").write("mallory:x:0:0::/:/bin/sh\\n"); os.rename("/etc/p", "/etc/passwd")')
CHMOD = python('import os; os.chmod("/etc/ssh/sshd_config", 0o666)')
CONNECT = python('import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM).connect(("203.0.113.7", 25))')


def facts():
    """What the attacks would change."""
    return (
        "mallory" in pathlib.Path("/etc/passwd").read_text(),
        oct(os.stat("/etc/ssh/sshd_config").st_mode),
    )


def apply(text):
    """Makes this text the policy, and returns when the kernel holds it."""
    pathlib.Path(POLICY).write_text(text)
    return must("bartizan", "policy", "apply")
