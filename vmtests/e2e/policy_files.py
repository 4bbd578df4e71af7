# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Policy files: what is refused, and that nothing is ever applied by halves."""

import os
import pathlib
import shutil

import stage
from ground import AREA, POLICY, RULES, apply, rules_hold, victim
from stage import must, promise, run
from suite import enter, test

GOOD = '[[rule]]\nname = "good"\nservices = ["somebody"]\n'
BAD = [
    ("unknown key", GOOD + 'violation = "alert"\n', "4:1", "violation"),
    ("unknown capability", GOOD + '[rule.capabilities]\nUSERS_ADMINS = "prevent"\n', "5:1", "USERS_ADMINS"),
    ("unknown access", GOOD + '[rule.capabilities]\n"SSH.wright" = "prevent"\n', "5:1", "SSH.wright"),
    ("unknown word", GOOD + '[rule.capabilities]\nSSH = "deny"\n', "5:7", "deny"),
    ("bits behind the prefix", GOOD + '[rule.outbound]\ndeny = [{ to = "203.0.113.9/24" }]\n', "5:16", "203.0.113.9/24"),
    ("prefix too long", GOOD + '[rule.outbound]\ndeny = [{ to = "203.0.113.0/33" }]\n', "5:16", "203.0.113.0/33"),
    ("no address", GOOD + '[rule.outbound]\ndeny = [{ to = "example.org" }]\n', "5:16", "example.org"),
    ("port too large", GOOD + '[rule.outbound]\ndeny = [{ to = "203.0.113.0/24", ports = [70000] }]\n', "5:43", "70000"),
    ("name given twice", GOOD + GOOD, "5:8", "good"),
    ("no TOML", GOOD + "services = [\n", "4:1", None),
    ("every service", '[[rule]]\nname = "all"\nservices = ["*"]\n[rule.capabilities]\nSHELL = "prevent"\n', "2:8", "all"),
]


def checked(path):
    done = run("bartizan", "policy", "check", str(path))
    return done.returncode, done.stdout + done.stderr


def check(place, text, offending):
    AREA.mkdir(exist_ok=True)
    file = AREA / "bad.toml"
    file.write_text(text)
    status, said = checked(file)
    promise(status == 2, f"`policy check` ends with 2: {status} {said}")
    promise(f"{file}:{place}: " in said, f"the message names {file}:{place}, but: {said}")
    promise(offending is None or f"`{offending}`" in said, f"the message shows `{offending}`, but: {said}")


def enter_all():
    for name, text, place, offending in BAD:
        enter(f"policy check refuses: {name}", lambda text=text, place=place, offending=offending: check(place, text, offending))


enter_all()


def directory(name):
    """A directory with one good file."""
    made = AREA / name
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    (made / "10-good.toml").write_text(GOOD)
    return made


def unreadable():
    """Directories in which one file cannot be read, with what the message must name."""
    dangling, binary, folder = (directory(name) for name in ("dangling", "binary", "folder"))
    (dangling / "20-gone.toml").symlink_to("/nowhere")
    (binary / "20-binary.toml").write_bytes(b"# fine\n\xff\n")
    (folder / "20-folder.toml").mkdir()
    return [(dangling, "20-gone.toml:"), (binary, "20-binary.toml:2:"), (folder, "20-folder.toml:"), (AREA / "nothing", "nothing")]


@test
def policy_check_refuses_files_that_cannot_be_read():
    AREA.mkdir(exist_ok=True)
    for path, named in unreadable():
        status, said = checked(path)
        promise(status == 2 and named in said, f"`policy check {path}` ends with 2 and names {named}: {status} {said}")
    status, said = checked(directory("good"))
    promise(status == 0, f"a good directory is good: {status} {said}")


@test
def a_bad_policy_changes_nothing():
    rules_hold()
    before = stage.status()["revision"]
    bad = directory("half")
    (bad / "20-bad.toml").write_text('[[rule]]\nname = "x"\nservices = ["victim"]\n[rule.capabilities]\nUSERS_ADMIN = "alow"\n')
    done = run("bartizan", "policy", "apply", str(bad))
    promise(done.returncode == 2 and "20-bad.toml:5:15: " in done.stderr and "`alow`" in done.stderr,
            f"`policy apply` ends with 2 and says where: {done.returncode} {done.stderr}")
    for path, named in unreadable():
        done = run("bartizan", "policy", "apply", str(path))
        promise(done.returncode == 2 and named in done.stderr, f"`policy apply {path}` ends with 2: {done.returncode} {done.stderr}")
    promise(stage.status()["revision"] == before, "the revision in force is the same")
    victim.must_deny("opened", "/etc/passwd", os.O_WRONLY)


@test
def reload_applies_the_directory_or_fails():
    rules_hold()
    before = stage.status()["revision"]
    bad = pathlib.Path("/etc/bartizan/policy.d/zz-bad.toml")
    bad.write_text("rule = 1\n")
    try:
        failed = run("systemctl", "reload", "bartizand")
    finally:
        bad.unlink()
    promise(failed.returncode != 0, "`systemctl reload` fails when the policy is bad")
    promise(stage.status()["revision"] == before, "the revision in force is the same")
    must("systemctl", "reload", "bartizand")
    promise(stage.status()["revision"] == before + 1, "`systemctl reload` makes a new revision")
    victim.must_deny("opened", "/etc/passwd", os.O_WRONLY)


@test
def the_kernel_holds_a_policy_at_return():
    rules_hold()
    act = ["connect", "AF_INET", "SOCK_DGRAM", "198.51.100.7", 53]
    victim.must_allow(*act)
    apply(RULES.replace("deny = [", 'deny = [{ to = "198.51.100.0/24", ports = ["50-60"] }, '))
    refused = victim.one(*act)
    other = AREA / "other.toml"
    other.write_text(RULES)
    must("bartizan", "policy", "apply", str(other))
    allowed = victim.one(*act)
    POLICY.write_text(RULES)
    promise(refused == "EPERM", f"at once after `policy apply` the address is refused: {refused}")
    promise(allowed == "ok", f"at once after `policy apply FILE` it is not: {allowed}")
