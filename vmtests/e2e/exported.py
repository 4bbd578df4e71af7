# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Models from host to host: exported as plain text, joined, imported whole or not at all, and never over a rule."""

import copy
import json
import os
import pathlib
import string

from audit import audits
from ground import AREA, rules_hold, victim
from service import Service
from stage import must, promise, run, services, wait_for
from suite import once, test

MODELS = pathlib.Path("/var/lib/bartizan/models")
RULES = pathlib.Path("/etc/bartizan/policy.d/heir.toml")
RULE = '[[rule]]\nname = "the heir keeps to its model"\nservices = ["e2e-heir"]\nviolations = "prevent"\n'
TARGET = "/etc/ssh/sshd_config"
# Three bytes that are no UTF-8, and what clears a terminal.
ODD = b"/etc/cron.d/\xff\x1b[2J\n\xfe"
heir = Service("e2e-heir")


@once
def the_heir_is_active():
    """A service that has learned one odd name, keeps to its model, and may not write what sshd reads."""
    rules_hold()
    heir.start()
    heir.known()
    heir.must_allow("opened", os.fsdecode(ODD), os.O_WRONLY | os.O_CREAT)
    wait_for("it has learned", lambda: "SERVICE_OPERATOR" in services()["e2e-heir"]["granted"])
    RULES.write_text(RULE)
    must("bartizan", "policy", "apply")
    must("bartizan", "activate", "e2e-heir")
    heir.must_deny("opened", TARGET, os.O_WRONLY)


def export(service):
    return json.loads(must("bartizan", "model", "export", service))


def elsewhere(document, service, capability, access):
    """The same export with a grant that another host has seen."""
    changed = copy.deepcopy(document)
    known = changed["models"].setdefault(service, {"granted": {}, "programs": {}})
    seen = {"first": "2026-01-01T00:00:00Z", "last": "2026-01-02T00:00:00Z", "count": 2, "exe": "/usr/bin/x", "object": "/x"}
    known["granted"].setdefault(capability, {}).setdefault(access, {})["elsewhere"] = seen
    return changed


def write(name, document):
    path = AREA / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


@test
def an_odd_name_acts_on_no_terminal():
    the_heir_is_active()
    for command in (["show", "e2e-heir"], ["show", "e2e-heir", "--json"], ["model", "export", "e2e-heir"], ["model", "export", "--all"]):
        said = must("bartizan", *command)
        odd = set(said) - set(string.printable) - {"\ufffd"}
        promise(not odd and "\x1b" not in said and "[2J" in said, f"`bartizan {' '.join(command)}` prints {odd}")
    text = must("bartizan", "model", "export", "e2e-heir")
    promise(text.isascii(), "an export is plain")


@test
def an_import_adds_and_the_kernel_holds_it():
    the_heir_is_active()
    before = services()["e2e-heir"]
    path = write("one", elsewhere(export("e2e-heir"), "e2e-heir", "SSH", "write"))
    said = must("bartizan", "model", "import", path)
    promise("e2e-heir gains SSH.write (elsewhere: /x by /usr/bin/x)" in said, f"it says what was new: {said}")
    heir.must_allow("opened", TARGET, os.O_WRONLY)
    after = services()["e2e-heir"]
    promise((after["state"], after["since"]) == (before["state"], before["since"]), f"it stands where it stood: {before} {after}")
    records = [one for one in audits("--service", "e2e-heir") if "gains by import, by root" in one["message"]]
    promise(len(records) == 1 and "SSH.write (elsewhere" in records[0]["message"], f"it is on record: {records}")
    promise("imported: 0 gains" in must("bartizan", "model", "import", path), "a second time changes nothing")
    shown = must("bartizan", "show", "e2e-heir")
    promise("elsewhere" in shown, f"it is known who saw it: {shown}")


@test
def an_import_overrides_no_rule():
    the_heir_is_active()
    path = write("two", elsewhere(export("victim"), "victim", "USERS_ADMIN", "write"))
    must("bartizan", "model", "import", path)
    promise("write" in services()["victim"]["granted"]["USERS_ADMIN"], "the model has it")
    victim.must_deny("opened", "/etc/passwd", os.O_WRONLY)


@test
def an_import_is_whole_or_not_at_all():
    the_heir_is_active()
    # An active service's model changes by nothing else.
    before = export("e2e-heir")
    good = elsewhere(export("e2e-heir"), "e2e-heir", "NET", "execute")
    broken = elsewhere(good, "e2e-unheard-of", "NET", "execute")
    broken["models"]["e2e-unheard-of"]["granted"]["NET"]["execute"]["elsewhere"]["count"] = 0
    exempt = elsewhere(good, "systemd-journald", "NET", "execute")
    newer = dict(good, bartizan_models=99)
    cut = json.dumps(good)[:-20]
    for name, document, word in (("broken", broken, "e2e-unheard-of"), ("exempt", exempt, "systemd-journald"),
                                 ("newer", newer, "format 99"), ("cut", cut, "no export")):
        done = run("bartizan", "model", "import", write(name, document))
        promise(done.returncode == 2 and word in done.stderr, f"{name} is refused by name: {done.returncode} {done.stderr}")
    promise(export("e2e-heir") == before and "e2e-unheard-of" not in services(), "and nothing has changed")


@test
def a_service_imports_nothing():
    the_heir_is_active()
    path = write("three", elsewhere(export("victim"), "victim", "SHELL", "execute"))
    status, said = victim.one("output", "/usr/bin/bartizan", "model", "import", path)
    promise(status == 1 and "victim" in said, f"it is refused: {status} {said}")
    promise("elsewhere" not in json.dumps(export("victim")["models"]["victim"]["granted"].get("SHELL", {})), "nothing was imported")


@test
def an_import_that_was_cut_short_is_finished():
    the_heir_is_active()
    document = elsewhere(export("e2e-heir"), "e2e-heir", "NET", "connect")
    document = elsewhere(document, "e2e-unheard-of", "NET", "execute")
    must("systemctl", "stop", "bartizand")
    (MODELS / "import.json").write_text(json.dumps(document))
    must("systemctl", "start", "bartizand")
    found = services()
    promise("connect" in found["e2e-heir"]["granted"]["NET"], f"one has it: {found['e2e-heir']}")
    promise(found["e2e-unheard-of"]["state"] == "archived", f"one that this host never saw waits for its unit: {found['e2e-unheard-of']}")
    promise(not (MODELS / "import.json").exists(), "and it is finished")
    promise(any("cut short was finished" in one["message"] for one in audits()), "it is told")


@test
def exports_are_merged_and_compared_without_a_daemon():
    the_heir_is_active()
    one = write("first", export("e2e-heir"))
    two = write("second", elsewhere(export("e2e-heir"), "e2e-heir", "DOCKER", "execute"))
    must("systemctl", "stop", "bartizand")
    try:
        merged = must("bartizan", "model", "merge", one, two)
        promise(merged == must("bartizan", "model", "merge", two, one), "the order does not matter")
        promise(json.loads(merged) == json.loads(must("bartizan", "model", "merge", two, two)), "one contains the other")
        differ = run("bartizan", "model", "diff", one, two)
        promise(differ.returncode == 1 and differ.stdout == "e2e-heir gains DOCKER.execute (elsewhere: /x by /usr/bin/x)\n", f"{differ}")
        promise("e2e-heir loses DOCKER.execute" in run("bartizan", "model", "diff", two, one).stdout, "and the other way round")
        same = run("bartizan", "model", "diff", one, one)
        promise(same.returncode == 0 and not same.stdout, f"an export and itself: {same}")
    finally:
        must("systemctl", "start", "bartizand")


@test
def the_heir_is_forgotten():
    the_heir_is_active()
    heir.stop()
    RULES.unlink()
    must("bartizan", "policy", "apply")
    os.unlink(ODD)
