# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Twenty services of Debian live through a whole life, first learning, then under `violations = "prevent"`: scripts/attack --stock.

A life is: start, use, reload, restart, log rotation, upgrade, stop. The first begins with the installation instead of the upgrade,
which takes as long. Ends with 1 when a step fails or anything was refused."""

import json
import pathlib
import sys
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / name) for name in ("attack", "e2e", "demo")]

import stage  # noqa: E402
from stocklife import Life, apt, rotation_is_forced  # noqa: E402
from stage import must, promise, wait_for  # noqa: E402
from trail import Trail  # noqa: E402

POLICY = pathlib.Path("/etc/bartizan/policy.d/stock.toml")
RULE = "stock services keep to what they have learned"


def chosen(names):
    with open(HERE / "services.toml", "rb") as file:
        data = tomllib.load(file)
    return [one for one in data["service"] if not names or one["name"] in names], data["rotation"]


def install(services, rotation):
    for one in services:
        if "setup" in one:
            must("sh", "-c", one["setup"])
    apt("now", [*(one["package"] for one in services), rotation["package"]])
    rotation_is_forced()


def enforce(names):
    """All are active, and what they have not learned is refused."""
    for name in names:
        must("bartizan", "activate", name)
    quoted = ", ".join(f'"{name}"' for name in names)
    POLICY.write_text(f'[[rule]]\nname = "{RULE}"\nservices = [{quoted}]\nviolations = "prevent"\n')
    must("bartizan", "policy", "apply")


def beyond(name):
    """What a service needed while it learned that its baseline does not give it: nothing, where the baseline is whole."""
    model = json.loads(must("bartizan", "show", name, "--json"))
    given = {f"{capability}.{access}" for grants in (model["baseline"], model["baseline_at_start"])
             for capability, accesses in grants.items() for access in accesses}
    more = sorted({f"{capability}.{access}" for capability, accesses in model["granted"].items() for access in accesses} - given)
    return f"{name:14} baseline {model['baseline_from'] or 'none'}: beyond it {' '.join(more) or 'nothing'}\n"


def report(lives, told):
    """A row for each service: what it did, and what was refused to it."""
    good = True
    for life in lives:
        denied = [one for one in told if one["service"] == life.model and one["verdict"] == "deny"]
        audited = sum(one["count"] for one in told if one["service"] == life.model and one["verdict"] == "audit")
        steps = " ".join(f"{step}:{word}" for step, word in life.steps.items())
        print(f"{life.name:14} {life.version:28} {steps}  denied: {sum(one['count'] for one in denied)}, audited: {audited}")
        for one in denied:
            print(f"    {one['message']} ({one['exe']})")
        for failure in life.failures:
            print(f"    FAILED {failure}")
        good &= not denied and not life.failures
    return good


def strangers(lives, told):
    """Refusals of services that no rule names."""
    names = {life.model for life in lives}
    return [one["message"] for one in told if one["verdict"] == "deny" and one["service"] not in names]


def said(text, started):
    print(f"stock: {text} ({time.monotonic() - started:.0f} s)", flush=True)


def main(names):
    started = time.monotonic()
    wait_for("Bartizan enforces", stage.enforcing)
    services, rotation = chosen(names)
    install(services, rotation)
    said("installed", started)
    lives = [Life(one) for one in services]
    rotating = Life(rotation)
    resting = [f"{life.name}: {life.words()}" for life in lives if not life.settles(True)]
    promise(not resting, "all run after their installation:\n" + "\n".join(resting))
    cycle(lives, rotating, None, started)
    failed = [failure for life in [*lives, rotating] for failure in life.failures]
    promise(not failed, f"while learning all goes well: {failed}")
    print("".join(beyond(life.model) for life in [*lives, rotating]), end="", flush=True)
    enforce([life.model for life in [*lives, rotating]])
    said("learned; from now on the rule holds", started)
    trail = Trail()
    for life in lives:
        life.start()
    cycle(lives, rotating, "later1", started)
    time.sleep(3)  # counts of the kernel come within a second
    told = trail.new()
    good = report([*lives, rotating], told)
    others = strangers([*lives, rotating], told)
    print(f"{len(lives)} services and {rotating.name}: {sum(life.lived() for life in lives)} lived without a refusal or a failed step; "
          f"refused to services without a rule: {others[:3] or 'nothing'}; in {time.monotonic() - started:.0f} s")
    return 0 if good and not others and all(life.lived() for life in lives) else 1


def cycle(lives, rotating, version, started):
    """One life of all of them, with an upgrade if there is a version for it; what takes long is done for all at once."""
    pathlib.Path("/run/stock-cron").unlink(missing_ok=True)
    for life in lives:
        life.use()
        life.reload()
        life.restart()
        life.use()
    said("reloaded and restarted", started)
    rotating.rotate(lives)
    said("rotated", started)
    if version:
        apt(version, [life.package for life in [*lives, rotating]])
        for life in [*lives, rotating]:
            life.upgraded(version)
        said("upgraded", started)
    for life in lives:
        life.use()
        life.stop()
    said("stopped", started)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
