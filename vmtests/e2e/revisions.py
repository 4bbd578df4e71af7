# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What becomes of revisions: told beforehand, confirmed, taken back, gone back to; and what they may not do."""

import json
import os
import pathlib
import time

import ground
import stage
from audit import audits, last, record
from service import Service
from stage import must, promise, run, wait_for
from suite import once, test

guest = Service("e2e-guest")
FILE = pathlib.Path("/etc/hosts.e2e-revision")
HERE = pathlib.Path("/etc/hostname")
NAME = "e2e the guest leaves host names alone"
RULE = f'[[rule]]\nname = "{NAME}"\nservices = ["e2e-guest"]\ncapabilities = {{ "HOSTS_CONFIG.write" = "prevent" }}\n'
OTHER = "\n[[rule]]\nname = \"e2e {0}\"\nservices = [\"e2e-guest\"]\n{1}\n"


@once
def plain():
    """The guest runs, and no rule names it."""
    ground.rules_hold()
    guest.start()
    ground.apply(ground.RULES)
    return guest


def writes():
    return guest.one("opened", str(HERE), os.O_WRONLY)


def number():
    return json.loads(must("bartizan", "status", "--json"))["revision"]


def waiting(seconds):
    """Applies the rule so that it has to be confirmed; the number of the revision before."""
    ground.apply(ground.RULES)
    before = number()
    write(RULE)
    must("bartizan", "policy", "apply", "--confirm", seconds)
    promise(number() == before + 1 and writes() == "EPERM", "it counts at once")
    return before


def told(part, since=0):
    return [one for one in audits() if one["kind"] == "lifecycle" and part in one["message"] and one["id"] > since]


def write(text):
    ground.POLICY.write_text(ground.RULES + text)


@test
def a_diff_says_in_words_what_an_application_would_change():
    plain()
    promise(run("bartizan", "policy", "diff").returncode == 0, "the files that were applied change nothing")
    write(RULE)
    done = run("bartizan", "policy", "diff")
    promise(done.returncode == 1 and "e2e-guest loses HOSTS_CONFIG.write\n" in done.stdout, f"it is told: {done}")
    promise(f'rule "{NAME}" is new' in done.stdout, f"and the rule: {done.stdout}")
    promise(writes() == "ok", "nothing has changed by that")
    listed = json.loads(run("bartizan", "policy", "diff", "--json").stdout)
    promise({"about": "e2e-guest", "what": "loses HOSTS_CONFIG.write"} in listed, f"as JSON: {listed}")


@test
def history_keeps_who_when_why_and_the_digest():
    plain()
    write(RULE)
    must("bartizan", "policy", "apply", "--why", "ticket 4711")
    promise(writes() == "EPERM", "the rule holds")
    newest = json.loads(must("bartizan", "policy", "history", "--json"))["revisions"][-1]
    promise(newest["why"] == "ticket 4711" and newest["state"] == "in force" and len(newest["digest"]) == 64, f"it is kept: {newest}")
    promise(newest["by"].startswith("root (pid ") and newest["number"] == number(), f"by whom: {newest}")
    shown = must("bartizan", "policy", "show")
    promise("ticket 4711" in shown and NAME in shown, f"and shown with its files: {shown[:300]}")
    promise("ticket 4711" in must("bartizan", "policy", "history"), "and in the list")


@test
def going_back_makes_a_new_revision_of_an_old_one():
    plain()
    ground.apply(ground.RULES)
    earlier = number()
    ground.apply(ground.RULES + RULE)
    promise(writes() == "EPERM", "the rule holds")
    must("bartizan", "policy", "rollback", str(earlier), "--why", "too strict")
    promise(writes() == "ok", "it holds no longer")
    newest = json.loads(must("bartizan", "policy", "history", "--json"))["revisions"][-1]
    promise((newest["number"], newest["back_to"]) == (earlier + 2, earlier), f"a new one: {newest}")
    promise(run("bartizan", "policy", "rollback", "999999").returncode == 2, "what there is not cannot be gone back to")


@test
def what_nobody_confirms_takes_itself_back():
    plain()
    before = waiting("60s")
    refused = run("bartizan", "policy", "apply")
    promise(refused.returncode == 2 and "waits to be confirmed" in refused.stderr, f"nothing else is applied meanwhile: {refused}")
    # A restart of the daemon changes nothing about it.
    must("systemctl", "restart", "bartizand")
    stage.wait_for("Bartizan enforces", stage.enforcing)
    promise(number() == before + 1 and writes() == "EPERM", "it still counts")
    wait_for("it has taken itself back", lambda: number() == before, 120)
    promise(writes() == "ok", "and the kernel holds what was before")
    promise(told("was not confirmed in time"), "it is on record")


@test
def what_is_confirmed_stays():
    plain()
    kept = waiting("15s") + 1
    must("bartizan", "policy", "confirm")
    time.sleep(18)
    promise(number() == kept and writes() == "EPERM", "it stays")
    promise(run("bartizan", "policy", "confirm").returncode == 2, "once")
    promise(run("bartizan", "policy", "rollback").returncode == 2, "and there is nothing to take back")


@test
def a_person_takes_back_what_waits():
    plain()
    before = waiting("10m")
    must("bartizan", "policy", "rollback")
    promise(number() == before and writes() == "ok", "the one before counts again")
    promise(told("was taken back by root"), "it is on record")


@test
def a_service_is_permissive_for_a_while():
    plain()
    ground.apply(ground.RULES + RULE)
    promise(writes() == "EPERM", "the rule holds")
    since = last()
    must("bartizan", "permissive", "e2e-guest", "--for", "60s")
    promise(writes() == "ok", "for a while it refuses nothing")
    message = f"Service e2e-guest attempted to obtain capability HOSTS_CONFIG by writing {HERE}"
    found = wait_for("it is recorded", lambda: [one for one in audits() if one["message"] == message and one["verdict"] == "audit" and one["id"] > since])
    promise(found[0]["rule"] == NAME, f"with the rule that would have refused: {found[0]}")
    promise("e2e-guest" in json.loads(must("bartizan", "status", "--json"))["permissive"], "status says so")
    must("systemctl", "restart", "bartizand")
    stage.wait_for("Bartizan enforces", stage.enforcing)
    promise(writes() == "ok", "over a restart of the daemon")
    wait_for("it ends by itself", lambda: writes() == "EPERM")
    promise(told("is permissive for 60 s", since) and told("no longer permissive: its time is over", since), "begin and end are on record")
    must("bartizan", "permissive", "e2e-guest", "--for", "1h")
    must("bartizan", "permissive", "e2e-guest", "--end")
    promise(writes() == "EPERM", "or by a person")
    promise(run("bartizan", "permissive", "nobody-knows", "--for", "1h").returncode == 2, "an unknown service is told")


@test
def what_would_lock_people_out_is_not_applied():
    plain()
    before = number()
    for services, words, part in (
        ("ssh", '"USERS_ADMIN.read" = "prevent"', "ssh could not read /etc/shadow any more, which protects: ssh login"),
        ("logrotate", 'SHELL = "prevent"', "which protects: log rotation"),
        ("apt-daily-upgrade", 'INSTALLER = "prevent"', "which protects: package upgrades"),
        ("getty@", 'USERS_ADMIN = "prevent"', "which protects: login on a console"),
    ):
        text = OTHER.format(services, f"capabilities = {{ {words} }}").replace('"e2e-guest"', f'"{services}"')
        write(text)
        done = run("bartizan", "policy", "apply")
        promise(done.returncode == 2 and part in done.stderr, f"{services}: {done.stderr}")
        promise(f"{ground.POLICY}:" in done.stderr, f"it names the rule: {done.stderr}")
    promise(number() == before, "nothing was applied")
    write(text + 'breaks_hosts = "accepted"\n' if "breaks" not in text else text)
    done = run("bartizan", "policy", "diff")
    promise(done.returncode == 1, f"who accepts it may: {done}")
    ground.apply(ground.RULES)


@test
def a_rule_ends_by_itself_and_holds_on_its_hosts_only():
    plain()
    here = os.uname().nodename
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 40))
    ground.apply(ground.RULES + RULE.replace("services", f'hosts = ["{here}"]\nexpires = {soon}\nservices'))
    promise(writes() == "EPERM", "it holds here and now")
    wait_for("it comes to its end", lambda: writes() == "ok")
    ground.apply(ground.RULES + RULE.replace("services", 'hosts = ["somewhere-*", "else"]\nservices'))
    promise(writes() == "ok", "it does not hold on other hosts")
    ground.apply(ground.RULES)


@test
def the_default_policy_is_installed():
    plain()
    shipped = pathlib.Path("/etc/bartizan/policy.d/00-default.toml").read_text()
    promise('name = "Default - alert on suspicious runtime behavior"' in shipped, shipped)
    promise("Default - alert on suspicious runtime behavior" in must("bartizan", "policy", "show"), "and part of the policy")
