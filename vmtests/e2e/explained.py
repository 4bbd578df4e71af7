# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What `explain` says of an act is what the kernel does with it: random acts of three services, each asked about and then performed."""

import collections
import functools
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import socket
import urllib.parse

import ground
from audit import audits
from service import Service
from stage import must, promise, run, wait_for
from suite import once, test

# Of each five acts two are on objects that any host has, drawn from its whole tree.
COUNT = 10_000 if os.environ.get("BARTIZAN_SOAK") else 400
ROUND = 200
strict, free, pupil = Service("e2e-strict"), Service("e2e-free"), Service("e2e-pupil")
RULES = """
[[rule]]
name = "e2e the strict one keeps to its model"
services = ["e2e-strict"]
violations = "prevent"
capabilities = { "SSH.read" = "allow", SHELL = "alert", NET = "disable" }

[[rule]]
name = "e2e all of them"
services = ["e2e-*"]
capabilities = { "USERS_ADMIN.write" = "prevent", "HOSTS_CONFIG.write" = "prevent", "PRIVILEGED_PROCESSES.operate" = "prevent" }

[[rule]]
name = "e2e lists"
services = ["e2e-free"]
programs = { only = ["true", "sh", "dash", "id"] }

[[rule]]
name = "e2e destinations"
services = ["e2e-strict", "e2e-free"]
[rule.outbound]
deny = [{ to = "0.0.0.0/0", ports = [25, "6000-7000"] }, { to = "127.0.0.8" }, { to = "2001:db8::/32" }]

[[rule]]
name = "e2e a word on some of them"
services = ["e2e-strict"]
[rule.outbound]
deny = [{ to = "127.0.0.0/24", ports = [443] }]
effect = "alert"
"""
ROOM = pathlib.Path("/srv/e2e-explained")
NAMED = pathlib.Path("/etc/cron.d/e2e-named")
HIDDEN = ROOM / "e2e-hidden"  # its second name
# No program is both written and started: whether a service wrote it, the kernel alone knows.
FILES = ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/hosts", "/etc/hostname", "/etc/ssh/sshd_config", "/etc/cron.d/e2e-none",
         "/etc/systemd/system/e2e-none.service", "/var/log/e2e-none", "/etc/sudoers", "/root/.ssh/e2e-none", "/root/.bashrc", "/etc/fstab",
         "/etc/motd", "/usr/share/doc/bartizan/README.md", "/srv/e2e-explained/plain", "/tmp/e2e-none", "/usr/local/bin/e2e-written",
         "/etc/bartizan/bartizan.toml", "/var/lib/bartizan/e2e-none", str(HIDDEN), str(NAMED), str(ROOM / "plain-too"), "/proc/sys/kernel/core_pattern", "/proc/self/status", "/dev/null"]
PROGRAMS = ["/bin/true", "/bin/sh", "/usr/bin/id", "/usr/bin/nc", "/usr/sbin/useradd", "/usr/bin/ssh", "/usr/bin/dpkg", "/usr/bin/systemctl",
            "/usr/local/bin/e2e-tool", "/usr/bin/env", "/usr/bin/passwd"]
SOCKETS = ["/run/dbus/system_bus_socket", "/run/systemd/private", "/run/systemd/journal/stdout", "/run/systemd/notify", "/run/udev/control",
           "/run/bartizan/api.sock", "/run/systemd/userdb/io.systemd.DynamicUser", "/srv/e2e-explained/plain"]
ADDRESSES = ["127.0.0.1", "127.0.0.8", "127.0.1.1", "::1", "::ffff:127.0.0.8", "2001:db8::7", "fd00::7", "0.0.0.0", "::"]
PORTS = [9, 25, 443, 6000, 6500, 7000, 7001]
# Each prints its options and ends.
HARMLESS = "coreutils"
TREES = ["/etc", "/usr/lib/systemd", "/usr/share", "/var/lib", "/var/log", "/root", "/home", "/opt", "/boot", "/run"]
OPERATIONS = {"chroot": ["chroot", "/"], "kernel_log": ["kernel_log"], "user_namespace": ["user_namespace"], "bpf": ["bpf_map"]}


@once
def set_up():
    ground.rules_hold()
    ROOM.mkdir(exist_ok=True)
    (ROOM / "plain").write_text("nothing\n")
    for name in ("e2e-tool", "e2e-written"):
        shutil.copy("/bin/true", f"/usr/local/bin/{name}")
    # Names without a meaning, of files that have another: made before anybody asks, and while the programs run.
    NAMED.write_text("")
    for source, target in ((NAMED, HIDDEN), (ROOM / "plain", ROOM / "plain-too")):
        target.unlink(missing_ok=True)
        os.link(source, target)
    (ROOM / "pointer").unlink(missing_ok=True)
    (ROOM / "bound").mkdir(exist_ok=True)
    os.symlink("/etc/hosts", ROOM / "pointer")
    must("mount", "--bind", "/etc/ssh", str(ROOM / "bound"))
    for one in (strict, free, pupil):
        one.start()
        one.known()
    ground.apply(ground.RULES + RULES)
    for one in (strict, free):
        must("bartizan", "activate", one.name)
    wait_for("the bind mount counts", lambda: said("e2e-pupil", "read", str(ROOM / "bound/sshd_config"))["reason"]["needs"] == ["SSH.read"])


class Api(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect("/run/bartizan/api.sock")


def said(service, access, thing):
    """What `explain --json` prints, without a process for each."""
    api = Api("bartizan")
    api.request("GET", "/v1/explain?" + urllib.parse.urlencode({"service": service, "access": access, "object": thing}))
    answer = api.getresponse()
    text = answer.read().decode()
    api.close()
    promise(answer.status == 200, f"{service} {access} {thing}: {text}")
    return json.loads(text)


@functools.cache
def drawn():
    """Files and folders of this host, and programs: what no list of ours names."""
    found = [os.path.join(folder, name) for tree in TREES for folder, _, names in os.walk(tree) for name in names]
    plain = [path for path in found if os.path.isfile(path) and not os.path.islink(path) and "e2e" not in path]
    owned = must("dpkg-query", "-L", HARMLESS).split()
    programs = [path for path in owned if re.match("/(usr/)?s?bin/.", path) and os.access(path, os.X_OK)]
    promise(len(plain) > 1000 and len(programs) > 50, f"{len(plain)} files, {len(programs)} programs")
    return plain, programs


def aimed(choose):
    """A connection: to a socket of this host, or to an address."""
    if choose.random() < 0.4:
        path = choose.choice(SOCKETS)
        return path, ["connect_unix", path]
    address, port, kind = choose.choice(ADDRESSES), choose.choice(PORTS), choose.choice(["SOCK_STREAM", "SOCK_DGRAM"])
    six = ":" in address
    return f"[{address}]:{port}" if six else f"{address}:{port}", ["connect", "AF_INET6" if six else "AF_INET", kind, address, port]


def composed(choose):
    """A service, an access, an object, and how the service performs it."""
    access = choose.choice(["read", "write", "write", "execute", "operate", "connect"])
    service = choose.choice([strict, free, pupil])
    files, programs = drawn()
    if access == "connect":
        return service, access, *aimed(choose)
    if choose.random() < 0.4 and access != "operate":
        if access == "execute":
            program = choose.choice(programs)
            return service, access, program, ["execute", program, "--help"]
        path = choose.choice(files)
        return service, access, path, ["opened", path, os.O_RDONLY if access == "read" else os.O_WRONLY]
    if access == "operate":
        name = choose.choice(list(OPERATIONS))
        return service, access, name, OPERATIONS[name]
    if access == "execute":
        program = choose.choice(PROGRAMS)
        return service, access, program, ["execute", program, "--help"]
    path = choose.choice([*FILES, f"{ROOM}/pointer", f"{ROOM}/bound/sshd_config"])
    # Making a file is writing its name; opening one that is not there would say nothing.
    flags = os.O_RDONLY if access == "read" else os.O_WRONLY
    if not os.path.exists(path) and access == "write":
        flags |= os.O_CREAT
    return service, access, path, ["opened", path, flags]


@test
def explain_says_what_the_kernel_does():
    set_up()
    choose = random.Random(20261127)
    seen, wrong, unasked = collections.Counter(), [], 0
    while sum(seen.values()) < COUNT:
        acts = [composed(choose) for _ in range(ROUND)]
        told = [said(service.name, access, thing) for service, access, thing, _ in acts]
        done = {}
        for service in (strict, free, pupil):
            mine = [number for number, act in enumerate(acts) if act[0] is service]
            done |= dict(zip(mine, service.do(*[acts[number][3] for number in mine])))
        for number, (service, access, thing, act) in enumerate(acts):
            if done[number] in ("ETXTBSY", "ENOENT", "EPROTOTYPE"):
                # The kernel's own answer, before anybody is asked: a program that runs, a file that is gone since it was drawn, a socket of another kind.
                unasked += 1
                continue
            refused = done[number] == "EPERM"
            verdict = told[number]["reason"]["verdict"]
            seen[access, verdict] += 1
            if refused != (verdict == "deny"):
                wrong.append(f"{service.name} {access} {thing}: explain says {verdict}, the act ended with {done[number]}: {told[number]}")
        for path in FILES:
            if "e2e-none" in path:
                pathlib.Path(path).unlink(missing_ok=True)
    promise(unasked < COUNT // 8, f"{unasked} acts were answered before Bartizan was asked")
    promise(not wrong, f"{len(wrong)} of {COUNT} were told wrong: {wrong[:3]}")
    promise(all(sum(count for (one, verdict), count in seen.items() if verdict == what) > COUNT // 50 for what in ("allow", "deny")),
            f"there was something of everything: {dict(seen)}")
    print(f"{sum(seen.values())} acts, each as told: {dict(seen)}", flush=True)


@test
def what_explain_says_is_recorded_is_recorded():
    set_up()
    found = said("e2e-strict", "execute", "/usr/bin/dash")
    promise((found["reason"]["verdict"], found["reason"]["missing"]) == ("audit", ["SHELL.execute"]), f"an alert: {found}")
    strict.must_allow("execute", "/bin/sh", "-c", "true")
    message = "Service e2e-strict attempted to obtain capability SHELL by executing /usr/bin/dash"
    wait_for("it is", lambda: [one for one in audits() if one["message"] == message and one["verdict"] == "audit"])


@test
def explain_tells_people_why_and_what_would_turn_it():
    set_up()
    done = run("bartizan", "explain", "e2e-free", "write", str(ROOM / "pointer"))
    promise(done.returncode == 1, f"refused: {done}")
    for part in ("verdict   deny: it needs HOSTS_CONFIG.write, which e2e-free has not: the rule \"e2e all of them\" says so",
                 "act       write /etc/hosts", "HOSTS_CONFIG.write by /etc/hosts",
                 f"rule      e2e all of them ({ground.POLICY}:", 'nearest   a rule for e2e-free with "HOSTS_CONFIG.write" = "allow"'):
        promise(part in done.stdout, f"`{part}` is told: {done.stdout}")
    turned = '\n[[rule]]\nname = "e2e turned"\nservices = ["e2e-free"]\ncapabilities = { "HOSTS_CONFIG.write" = "allow" }\n'
    ground.apply(ground.RULES + RULES + turned)
    free.must_allow("opened", "/etc/hosts", os.O_WRONLY)
    ground.apply(ground.RULES + RULES)
    free.must_deny("opened", "/etc/hosts", os.O_WRONLY)
    promise(run("bartizan", "explain", "e2e-pupil", "read", "/etc/motd").returncode == 0, "what is permitted ends with 0")
    promise(run("bartizan", "explain", "nobody-knows", "read", "/etc/motd").returncode == 2, "an unknown service is told")
    promise(run("bartizan", "explain", "e2e-pupil", "look", "/etc/motd").returncode == 2, "an unknown access as well")
    promise(run("bartizan", "explain", "e2e-pupil", "operate", "dance").returncode == 2, "an unknown operation as well")


@test
def explain_knows_the_other_names_of_a_file():
    set_up()
    found = said("e2e-strict", "write", str(HIDDEN))
    promise(found["reason"]["verdict"] == "deny" and found["from"] == ["SERVICE_OPERATOR.write by its other name /etc/cron.d/e2e-named"], f"as the kernel: {found}")
    promise(not found["unknown"], f"nothing is left open: {found}")
    strict.must_deny("opened", str(HIDDEN), os.O_WRONLY)
    harmless = said("e2e-strict", "write", str(ROOM / "plain-too"))
    promise(harmless["reason"]["verdict"] == "allow" and not harmless["unknown"], f"two names that mean nothing: {harmless}")
    strict.must_allow("opened", str(ROOM / "plain-too"), os.O_WRONLY)
    # The name that gave the label is gone: the kernel remembers it as long as the file lives.
    protected, left = pathlib.Path("/etc/cron.d/e2e-gone"), ROOM / "e2e-left"
    left.unlink(missing_ok=True)
    protected.write_text("")
    os.link(protected, left)
    protected.unlink()
    found = said("e2e-strict", "write", str(left))
    promise(found["from"] == ["SERVICE_OPERATOR.write by a name that it had, or has where it cannot be seen"], f"told as it is: {found}")
    strict.must_deny("opened", str(left), os.O_WRONLY)
    left.unlink()


@test
def names_of_programs_are_resolved_on_this_host():
    set_up()
    done = run("bartizan", "policy", "resolve", "nc")
    promise(done.returncode == 0 and "/usr/bin/nc" in done.stdout and "NET.execute" in done.stdout, f"nc: {done}")
    promise(os.path.realpath("/usr/bin/nc") in done.stdout, f"and where it leads: {done.stdout}")
    found = json.loads(must("bartizan", "policy", "resolve", "/etc/ssh/sshd_config", "--json"))
    promise("SSH.write" in found[0]["needs"], f"a path: {found}")
    promise(run("bartizan", "policy", "resolve", "e2e-no-such-program").returncode == 1, "what the host does not have")
    one, = json.loads(run("bartizan", "policy", "resolve", "/etc/yum.conf", "--json").stdout)
    promise(not one["needs"], f"what Red Hat calls its configuration means nothing on Debian: {one}")
    remarks = [one["remarks"] for one in json.loads(run("bartizan", "policy", "resolve", "nmap", "--json").stdout)]
    promise(["NET.execute by nmap: known from documents only"] in remarks, f"what no machine has shown is told: {remarks}")


@test
def explaining_leaves_nothing_behind():
    """Later tests shall find one name for what is below /etc/ssh."""
    set_up()
    ground.apply(ground.RULES)
    must("umount", str(ROOM / "bound"))
    HIDDEN.unlink()
    NAMED.unlink()
    for one in (strict, free, pupil):
        one.stop()
    needs = lambda: said("e2e-pupil", "read", str(ROOM / "bound/sshd_config"))["reason"]["needs"]
    wait_for("the bind mount counts no longer", lambda: not needs())
