# SPDX-License-Identifier: Apache-2.0 OR MIT
"""scripts/bench user: what the daemon spends in user space on an event, and how long its store takes to answer, on this machine.

Events of the kernel's rings are replayed through the daemon's own actors (supervisor/examples/replay): to the trail, the store
and the journal, as they are without a configuration, and to all kinds of sinks beside, whose receivers are stand-ins in another
process. Processor time is that of the replaying process, all threads, by /proc, less what making the events took, on processors
that do not go to sleep in between."""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import awake  # noqa: E402
import budgets  # noqa: E402
import flood  # noqa: E402
import kernel  # noqa: E402
import receivers  # noqa: E402

ROOT = HERE.parents[1]
# Events that count, and how many come in a second: more than any host has for long.
EVENTS, RATE = 50_000, 5_000
RUNS = 3


class Failed(Exception):
    """Nothing could be measured."""


def build(release):
    """Builds the programs that measure; the folder in which they are."""
    command = ["cargo", "build", "-q", "-p", "bartizan-supervisor", "--example", "replay", "--example", "stored"]
    if subprocess.run(command + ["--release"] * release, cwd=ROOT).returncode != 0:
        raise Failed("the programs that measure cannot be built")
    target = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
    return target / ("release" if release else "debug") / "examples"


def apart(arguments):
    """This program again where /run is its own, so that the journal's stand-in can have the journal's place."""
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    inner = 'mount -t tmpfs none /run && exec "$@"'
    return ["unshare", *user, "--mount", "--propagation", "private", "sh", "-c", inner, "sh", sys.executable, "-B", __file__,
            "--inside", *arguments]


def unit_environment():
    lines = (ROOT / "supervisor/dist/bartizand.service").read_text().splitlines()
    return dict(line.removeprefix("Environment=").split("=", 1) for line in lines if line.startswith("Environment="))


def run(program, *arguments):
    """Runs a program as if systemd had started it, with stderr in the journal; what it prints."""
    with tempfile.TemporaryFile("w+") as said:
        about = os.fstat(said.fileno())
        environment = {**os.environ, **unit_environment(), "JOURNAL_STREAM": f"{about.st_dev}:{about.st_ino}"}
        done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=said, env=environment, text=True)
        said.seek(0)
        if done.returncode != 0:
            raise Failed(f"{program.name} ended with {done.returncode}: {said.read()[-2000:]}")
    return json.loads(done.stdout)


def replayed(programs, configuration):
    """The run of several that took least: whatever else the machine does only adds to it."""
    def once():
        with tempfile.TemporaryDirectory(prefix="bartizan-bench-", dir="/var/tmp") as place:
            file = pathlib.Path(place, "bartizan.toml")
            file.write_text(configuration)
            return run(programs / "replay", "--place", place, "--config", str(file), "--events", str(EVENTS), "--rate", str(RATE))
    with awake.processors():
        return min((once() for _ in range(RUNS)), key=lambda one: one["user_us"])


def stored(programs, records):
    with tempfile.TemporaryDirectory(prefix="bartizan-bench-", dir="/var/tmp") as place:
        return run(programs / "stored", "--place", place, "--records", str(records))


def measure(programs, records):
    sinks = receivers.start()
    return {"default": replayed(programs, ""), "all sinks": replayed(programs, sinks), "store": stored(programs, records)}


def on_what(build_name):
    cpu = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    return f"Kernel {platform.release()}, {os.cpu_count()} processors ({cpu}), {build_name}"


def text(found):
    """What was measured, for people."""
    yield found["on"]
    yield f"\nProcessor time for an event, µs, of {EVENTS:,} that come at {RATE:,} a second (the least of {RUNS} runs):"
    for name in ("default", "all sinks"):
        one = found[name]
        parts = ", ".join(f"{thread} {spent:.1f}" for thread, spent in sorted(one["threads_us"].items()) if spent >= 0.05)
        yield (f"{name + ':':11} user {one['user_us']:.1f}, system {one['system_us']:.1f}; {one['resident_kb']:,} kB resident; "
               f"{one['bytes_per_event']['trail']} bytes in the trail, {one['bytes_per_event']['store']} in the store\n"
               f"{'':11} by thread, both together: {parts}; making the events, not counted: {one['made_us']:.1f}")
    store = found["store"]
    yield (f"\nA store of {store['records']:,} records, {store['bytes'] / 1e6:,.0f} MB: filled in {store['filled_s']:.0f} s, looked through "
           f"in {store['opened_s']:.0f} s; the newest that answer a question, ms:")
    for row in store["questions"]:
        yield f"{row['question']:42} {row['cold_ms']:8.1f} from the disk, {row['warm_ms']:8.1f} from memory"


def judged(found, which):
    for what, value, most, unit in which(found):
        yield value <= most, f"{'within' if value <= most else 'over'} budget: {what}: {value:,.1f} of {most:,} {unit}"


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench user", description=__doc__.split(": ", 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", action="store_true", help="measures the release build; otherwise the one that the tests use")
    parser.add_argument("--soak", action="store_true", help="a store of 10 million records, not one")
    parser.add_argument("--guest", action="store_true", help="also what a flood costs a whole guest, against auditd and laurel, and the daemon while nothing happens")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="writes what was measured there, too")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if not asked.inside:
        build(asked.release)
        status = subprocess.run(apart([one for one in sys.argv[1:] if one != "--guest"])).returncode
        if asked.guest:
            print("\n".join(flood.text(flood.run("flood_inside.py"))))
            idle = flood.run("idle_inside.py")
            print("\n".join(flood.idle_text(idle)), "\n")
            for kept, sentence in judged(idle, budgets.of_standing_still):
                print(sentence)
                status = status or int(not kept)
        return status
    name = "release build" if asked.release else "build of the tests (Cargo.toml, profile.dev)"
    found = {"on": on_what(name), **measure(build(asked.release), 10_000_000 if asked.soak else 1_000_000)}
    print("\n".join(text(found)), "\n")
    verdicts = list(judged(found, budgets.of_user_space))
    print("\n".join(sentence for _, sentence in verdicts))
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0 if all(kept for kept, _ in verdicts) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failed, kernel.Failed, OSError) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        sys.exit(1)
