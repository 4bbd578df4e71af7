# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What operators say in words of their own: capabilities that they define, and lists of programs."""

import os
import pathlib
import shutil

import ground
from audit import audits, last, record
from service import Service
from stage import must, promise, run, services, wait_for
from suite import once, test

PAYROLL = pathlib.Path("/srv/payroll")
CTL = pathlib.Path("/usr/local/bin/payctl")
WEB = pathlib.Path("/opt/e2e-web")
payer, listed, denied = Service("e2e-payer"), Service("e2e-listed"), Service("e2e-denied")
OWN = """
[[capability]]
name = "PAYROLL"
severity = "critical"
executables = ["payctl"]
files = { read = ["/srv/payroll/**", "~/.payroll/*.key"], write = ["/srv/payroll/**"] }
"""
PREVENTED = '[[rule]]\nname = "e2e payroll"\nservices = ["e2e-payer"]\ncapabilities = { "PAYROLL.write" = "prevent", "PAYROLL.execute" = "prevent" }\n'
LISTS = f"""
[[rule]]
name = "e2e only"
services = ["e2e-listed"]
programs = {{ only = ["true", "sh", "dash", "{WEB}/**"] }}

[[rule]]
name = "e2e not these"
services = ["e2e-denied"]
programs = {{ deny = ["nc", "{WEB}/tool"], written = "deny" }}
"""


@once
def words_hold():
    """The three services run under a policy with a capability of its own and two lists."""
    ground.rules_hold()
    PAYROLL.mkdir(parents=True, exist_ok=True)
    WEB.mkdir(parents=True, exist_ok=True)
    pathlib.Path("/root/.payroll").mkdir(exist_ok=True)
    for file in (PAYROLL / "list", PAYROLL / "other", pathlib.Path("/root/.payroll/a.key")):
        file.write_text("nothing\n")
    shutil.copy("/bin/true", CTL)
    shutil.copy("/bin/true", WEB / "tool")
    shutil.copy("/bin/true", "/usr/local/bin/e2e-unlisted")
    for one in (payer, listed, denied):
        one.start()
    ground.apply(ground.RULES + OWN + PREVENTED + LISTS)


def attempted(service, words):
    return f"Service {service} attempted to obtain capability {words}"


@test
def an_operators_capability_is_refused_like_any_other():
    words_hold()
    payer.must_deny("opened", str(PAYROLL / "list"), os.O_WRONLY)
    payer.must_deny("execute", str(CTL))
    found = record(attempted("e2e-payer", f"PAYROLL by writing {PAYROLL}/list"), verdict="deny", rule="e2e payroll", capability="PAYROLL")
    promise(found["capabilities"] == ["PAYROLL"], f"the record names it: {found}")
    record(attempted("e2e-payer", f"PAYROLL by executing {CTL}"), verdict="deny", rule="e2e payroll")


@test
def an_operators_capability_is_learned_by_name():
    words_hold()
    payer.must_allow("opened", str(PAYROLL / "list"), os.O_RDONLY)
    payer.must_allow("opened", "/root/.payroll/a.key", os.O_RDONLY)
    model = wait_for("it is in the model", lambda: services()["e2e-payer"]["granted"].get("PAYROLL"))
    promise(model == ["read"], f"reading alone was learned: {model}")


@test
def a_capability_keeps_its_meaning_when_another_one_comes_before_it():
    words_hold()
    ground.apply(OWN.replace("PAYROLL", "AARDVARK").replace("payroll", "aardvark") + ground.RULES + OWN + PREVENTED + LISTS)
    since = last()
    payer.must_deny("opened", str(PAYROLL / "other"), os.O_WRONLY)
    record(attempted("e2e-payer", f"PAYROLL by writing {PAYROLL}/other"), verdict="deny", rule="e2e payroll")
    payer.must_deny("opened", str(PAYROLL / "list"), os.O_WRONLY)
    told = [one["message"] for one in audits("--service", "e2e-payer") if one["id"] > since]
    promise(not [message for message in told if "AARDVARK" in message], f"nothing is called by another's name: {told}")


@test
def a_capability_that_is_gone_binds_nobody():
    words_hold()
    ground.apply(ground.RULES + LISTS)
    payer.must_allow("opened", str(PAYROLL / "list"), os.O_WRONLY)
    ground.apply(ground.RULES + OWN + PREVENTED + LISTS)
    payer.must_deny("opened", str(PAYROLL / "list"), os.O_WRONLY)


@test
def what_is_not_on_the_list_is_not_started():
    words_hold()
    for program in ("/bin/true", f"{WEB}/tool"):
        listed.must_allow("execute", program)
    for program in ("/usr/local/bin/e2e-unlisted", "/usr/bin/id"):
        listed.must_deny("execute", program)
    record(attempted("e2e-listed", "PROGRAMS(e2e only) by executing /usr/bin/id"), verdict="deny", rule="e2e only")
    loader = next(path for path in (pathlib.Path("/lib64/ld-linux-x86-64.so.2"),) if path.exists())
    listed.must_deny("execute", str(loader), "/usr/local/bin/e2e-unlisted")
    payer.must_allow("execute", "/usr/local/bin/e2e-unlisted")


@test
def another_name_of_a_listed_program_is_not_on_the_list():
    words_hold()
    link = pathlib.Path("/usr/local/bin/e2e-link")
    link.unlink(missing_ok=True)
    os.link(WEB / "tool", link)
    listed.must_deny("execute", str(link))
    listed.must_allow("execute", f"{WEB}/tool")
    pathlib.Path("/usr/local/bin/e2e-pointer").unlink(missing_ok=True)
    os.symlink("/usr/local/bin/e2e-unlisted", "/usr/local/bin/e2e-pointer")
    listed.must_deny("execute", "/usr/local/bin/e2e-pointer")


@test
def a_script_needs_its_interpreter_on_the_list():
    words_hold()
    for name, interpreter in (("shell", "/bin/sh"), ("python", "/usr/bin/python3")):
        (WEB / name).write_text(f"#!{interpreter}\n")
        (WEB / name).chmod(0o755)
    listed.must_allow("execute", f"{WEB}/shell")
    listed.must_deny("execute", f"{WEB}/python")


@test
def what_is_denied_is_not_started():
    words_hold()
    denied.must_deny("execute", "/usr/bin/nc", "-h")
    denied.must_deny("execute", f"{WEB}/tool")
    denied.must_allow("execute", "/usr/local/bin/e2e-unlisted")
    record(attempted("e2e-denied", f"PROGRAMS(e2e not these) by executing {WEB}/tool"), verdict="deny", rule="e2e not these")


@test
def what_a_service_wrote_is_not_started():
    words_hold()
    made = "/var/tmp/e2e-made"
    pathlib.Path(made).unlink(missing_ok=True)
    shutil.copy("/bin/true", made)
    denied.must_allow("execute", made)
    # It learns, and so has not got INSTALLER.write yet.
    payer.must_allow("opened", made, os.O_WRONLY)
    denied.must_deny("execute", made)
    record(attempted("e2e-denied", f"PROGRAMS(e2e not these) by executing {made}"), verdict="deny", rule="e2e not these")


@test
def lists_are_nothing_that_is_learned():
    words_hold()
    listed.must_deny("execute", "/usr/bin/id")
    known = [name for model in services().values() for name in model["granted"] if name.startswith("PROGRAMS")]
    promise(not known, f"no model holds a list: {known}")
    shown = must("bartizan", "status", "--json")
    promise('"enforcing"' in shown, f"and the kernel holds it all: {shown}")
    promise(run("bartizan", "attest").returncode == 0, "read back, it agrees")
