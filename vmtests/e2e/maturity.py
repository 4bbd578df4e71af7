# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Graduation by evidence, with short periods: phases of a unit's life, the states, a clock that jumps by a year."""

import json
import pathlib
import time

import stage
from audit import audits
from ground import services_run
from stage import must, promise, run, services, wait_for
from suite import once, test

CONFIGURATION = pathlib.Path("/etc/bartizan/bartizan.toml")
UNITS = pathlib.Path("/run/systemd/system")
LONG = 'learning_time = "24h"\n'
YEAR = 365 * 24 * 3600
# A shell that waits: the start is all that these services do.
PLAIN = "[Service]\nExecStart=/bin/sleep infinity\n"
RELOADS = PLAIN + "ExecReload=/bin/true\n"
# It elapses when the service has been stopped.
TIMER = "[Timer]\nOnUnitInactiveSec=1s\nAccuracySec=100ms\n"


def configure(text):
    CONFIGURATION.write_text(text)
    must("systemctl", "restart", "bartizand")


@once
def short_periods():
    """Services with all phases, with none but the start, and without a reload; a learning time of seconds."""
    services_run()
    configure('learning_time = "12s"\nquiet_time = "4s"\nsteady_time = "4s"\narchive_after = "4s"\n')
    for name, text in (("e2e-ripe.service", RELOADS), ("e2e-ripe.timer", TIMER), ("e2e-unripe.service", RELOADS),
                       ("e2e-simple.service", PLAIN)):
        (UNITS / name).write_text(text)
    must("systemctl", "daemon-reload")
    # systemd knows that a timer starts a service once it has loaded the timer.
    must("systemctl", "start", "e2e-ripe.timer", "e2e-ripe", "e2e-unripe", "e2e-simple")
    for name in ("e2e-ripe", "e2e-unripe", "e2e-simple"):
        wait_for(f"{name} is known", lambda name=name: name in services())


def maturity(name):
    return json.loads(must("bartizan", "show", name, "--json"))["maturity"]


def waits_only_for(name, *expected):
    deadline = time.monotonic() + 90
    while (found := maturity(name))["waits_for"] != list(expected):
        promise(time.monotonic() < deadline, f"{name} waits for {expected} within 90 s: {found}")
        time.sleep(0.3)


def in_state(name, state):
    deadline = time.monotonic() + 90
    while (found := services()[name])["state"] != state:
        promise(time.monotonic() < deadline, f"{name} is {state} within 90 s: {found}")
        time.sleep(0.3)


def told(name):
    return [one["message"] for one in audits("--service", name) if one["kind"] == "lifecycle"]


@test
def a_service_that_lived_through_its_phases_graduates():
    short_periods()
    waits_only_for("e2e-ripe", "a reload", "a run started by its timer")
    promise(services()["e2e-ripe"]["state"] == "learning", "time alone is not enough")
    must("systemctl", "stop", "e2e-ripe")
    wait_for("its timer started it", lambda: "timer" in maturity("e2e-ripe")["seen"])
    must("systemctl", "reload", "e2e-ripe")
    in_state("e2e-ripe", "active")
    promise({"start", "steady", "reload", "timer"} <= set(maturity("e2e-ripe")["seen"]), f"all was seen: {maturity('e2e-ripe')}")
    message = next((one for one in told("e2e-ripe") if one.startswith("Service e2e-ripe is active: it has learned")), "")
    promise("saw start, steady, reload" in message, f"the record says why: {told('e2e-ripe')}")


@test
def a_service_whose_reload_was_never_seen_waits_and_says_so():
    short_periods()
    must("systemctl", "restart", "e2e-unripe")
    waits_only_for("e2e-unripe", "a reload")
    status = must("bartizan", "status")
    promise("e2e-unripe: " in status and "waits for a reload" in status, f"the status says so: {status}")
    time.sleep(10)
    promise(services()["e2e-unripe"]["state"] == "learning", "and it goes on waiting")
    must("systemctl", "reload", "e2e-unripe")
    in_state("e2e-unripe", "active")


@test
def a_unit_without_a_reload_waits_for_a_restart():
    short_periods()
    waits_only_for("e2e-simple", "a restart, as its unit cannot reload")
    promise("a restart, as its unit cannot reload" in must("bartizan", "show", "e2e-simple"), "a person reads it, too")
    must("systemctl", "restart", "e2e-simple")
    in_state("e2e-simple", "active")


@test
def manual_learning_ends_by_hand_only():
    short_periods()
    in_state("e2e-simple", "active")
    must("bartizan", "learn", "e2e-simple", "--manual")
    promise(services()["e2e-simple"]["state"] == "manual", "it is manual")
    must("systemctl", "restart", "e2e-simple")
    must("systemctl", "restart", "bartizand")
    time.sleep(20)
    found = services()["e2e-simple"]
    promise(found["state"] == "manual", f"after its time, a restart of its own and one of the daemon: {found}")
    promise("bartizan activate" in "".join(found["maturity"]["waits_for"]), f"and says what ends it: {found}")
    must("bartizan", "activate", "e2e-simple")
    for word in ("manual", "active"):
        promise(any(one.startswith(f"Service e2e-simple is {word}: by root") for one in told("e2e-simple")), f"on record: {told('e2e-simple')}")


@test
def a_model_is_archived_with_its_unit_and_comes_back():
    short_periods()
    in_state("e2e-simple", "active")
    unit = UNITS / "e2e-simple.service"
    text = unit.read_text()
    must("systemctl", "stop", "e2e-simple")
    unit.unlink()
    must("systemctl", "daemon-reload")
    in_state("e2e-simple", "archived")
    refused = run("bartizan", "activate", "e2e-simple")
    promise(refused.returncode != 0 and "archived" in refused.stderr, f"it cannot be activated: {refused.stderr}")
    promise(run("bartizan", "explain", "e2e-simple", "read", "/etc/hostname").returncode == 0, "the kernel holds its policy")
    must("systemctl", "restart", "bartizand")
    promise(services()["e2e-simple"]["state"] == "archived", "it stays archived over a restart")
    unit.write_text(text)
    must("systemctl", "daemon-reload")
    must("systemctl", "start", "e2e-simple")
    in_state("e2e-simple", "active")
    promise(run("bartizan", "explain", "e2e-simple", "read", "/etc/hostname").returncode == 0, "and when it is back")
    words = [one.split(":")[0].rsplit(" ", 1)[1] for one in told("e2e-simple")]
    promise(words[-2:] == ["archived", "active"], f"both are on record: {told('e2e-simple')}")


@test
def a_clock_that_jumps_changes_no_state():
    short_periods()
    configure(LONG + "phases = []\n")
    must("bartizan", "activate", "e2e-simple")
    must("bartizan", "learn", "e2e-unripe")
    before = standing()
    promise(before == {"e2e-simple": "active", "e2e-unripe": "learning"}, f"{before}")
    began, at = time.monotonic(), time.time()
    try:
        for years in (1, -1):
            run("date", "-s", f"@{int(at + years * YEAR)}")
            promise(abs(time.time() - at) > YEAR / 2, "the clock has jumped")
            # The daemon looks every 5 s.
            time.sleep(8)
            promise(standing() == before, f"a year {years}: {before} and {standing()}")
            must("systemctl", "restart", "bartizand")
            time.sleep(8)
            promise(standing() == before, f"and a restart: {before} and {standing()}")
            learned = maturity("e2e-unripe")["learned"]
            promise(learned < 600, f"it has learned for {learned} s")
    finally:
        run("date", "-s", f"@{int(at + time.monotonic() - began)}")
    promise(standing() == before, f"and back: {standing()}")


def standing():
    return {name: services()[name]["state"] for name in ("e2e-simple", "e2e-unripe")}


@test
def the_long_periods_are_back():
    short_periods()
    for name in ("e2e-ripe", "e2e-unripe", "e2e-simple"):
        run("systemctl", "stop", f"{name}.timer", f"{name}.service")
        for kind in ("timer", "service"):
            (UNITS / f"{name}.{kind}").unlink(missing_ok=True)
    must("systemctl", "daemon-reload")
    configure(LONG)
    wait_for("it enforces", stage.enforcing)
