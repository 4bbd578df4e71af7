# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Models over restarts: graduation by time, template instances, learning again, a corrupt file."""

import os
import pathlib

import stage
from audit import audits
from ground import rules_hold
from service import Service
from stage import must, promise, services, wait_for
from suite import once, test

CONFIGURATION = pathlib.Path("/etc/bartizan/bartizan.toml")
MODELS = pathlib.Path("/var/lib/bartizan/models")
SHORT = "15s"
one, two, spoilt = Service("e2e-twin@one"), Service("e2e-twin@two"), Service("e2e-spoilt")


@once
def instances_have_acted():
    """Two instances of one template, each with an act of its own, and a service whose model will be spoilt."""
    rules_hold()
    must("systemctl", "start", "bartizand")
    for service in (one, two, spoilt):
        service.start()
    one.must_allow("execute", "/usr/bin/nc", "-h")
    two.must_allow("opened", "/etc/cron.d/e2e-twin", os.O_WRONLY | os.O_CREAT)
    spoilt.must_allow("execute", "/usr/bin/nc", "-h")
    wait_for("its model is written", lambda: "NET" in spoilt.known()["granted"])
    spoilt.stop()


@test
def instances_of_a_template_are_one_service():
    instances_have_acted()
    wait_for("one model has learned from both", lambda: {"NET", "SERVICE_OPERATOR"} <= set(services()["e2e-twin@"]["granted"]))
    names = [name for name in services() if name.startswith("e2e-twin")]
    promise(names == ["e2e-twin@"], f"there is one service: {names}")


@once
def restarted_with_a_spoilt_model():
    """A restart with a short learning time and one byte of a model changed."""
    instances_have_acted()
    must("systemctl", "stop", "bartizand")
    file = MODELS / "e2e-spoilt.msgpack"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    CONFIGURATION.write_text(f'learning_time = "{SHORT}"\nphases = []\n')
    must("systemctl", "start", "bartizand")


@test
def a_corrupt_model_is_set_aside_and_told():
    restarted_with_a_spoilt_model()
    aside = list(MODELS.glob("e2e-spoilt.corrupt-*"))
    promise(len(aside) == 1, f"the file was set aside: {list(MODELS.iterdir())}")
    told = [record for record in audits("--service", "e2e-spoilt") if record["kind"] == "lifecycle" and "set aside" in record["message"]]
    promise(told, f"it is told: {audits('--service', 'e2e-spoilt')}")
    left = services().get("e2e-spoilt", {}).get("granted", {})
    promise("NET" not in left, f"nothing of it is used: {left}")


@test
def a_service_graduates_by_itself():
    restarted_with_a_spoilt_model()
    model = wait_for("the learning time ends", lambda: active("e2e-twin@"))
    promise({"NET", "SERVICE_OPERATOR"} <= set(model["granted"]), f"with what it has learned: {model}")
    told = [record["message"] for record in audits("--service", "e2e-twin@") if record["kind"] == "lifecycle"]
    promise(any(one.startswith("Service e2e-twin@ is active: it has learned") for one in told), f"it is told: {told}")


def active(name):
    model = services().get(name)
    return model if model and model["state"] == "active" else None


@test
def relearning_keeps_what_is_known():
    restarted_with_a_spoilt_model()
    before = wait_for("it is active", lambda: active("e2e-twin@"))
    must("bartizan", "relearn", "e2e-twin@")
    after = services()["e2e-twin@"]
    promise(after["state"] == "learning" and after["granted"] == before["granted"], f"it learns on top of what it knows: {after}")
    promise(after["since"] > before["since"], "the time counts anew")


@test
def a_bad_configuration_opens_nothing():
    rules_hold()
    CONFIGURATION.write_text('learning_time = "soon"\n')
    done = stage.run("bartizand")
    CONFIGURATION.write_text('learning_time = "24h"\n')
    promise(done.returncode == 2 and f"{CONFIGURATION}:1:17: " in done.stderr and "soon" in done.stderr,
            f"the daemon names the place: {done.returncode} {done.stderr}")
