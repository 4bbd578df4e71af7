# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Revisions change in one step. Two policies, of which each denies what the other allows, take turns under load: no act is
judged by a bit of both, and never are both acts allowed by one of them.

`policy apply` takes seconds under emulation. Most turns are therefore taken with the very program that it ends with, on the two
revisions that the kernel then holds side by side."""

import contextlib
import ctypes
import json
import os
import pathlib
import struct
import time

import stage
from boot import PINS
from ground import RULES, apply, rules_hold
from service import Service
from stage import must, promise
from suite import once, test

FLIPS = 1000
APPLIES = 100 if os.environ.get("BARTIZAN_SOAK") else 4
PAGE = pathlib.Path("/dev/shm/e2e-turns")
ONE, OTHER = pathlib.Path("/etc/security/e2e-turn"), pathlib.Path("/etc/ssh/e2e-turn")
RULE = '\n[[rule]]\nname = "turn"\nservices = ["e2e-turner"]\ncapabilities = {{ "{}.write" = "prevent" }}\n'
POLICIES = [RULES + RULE.format("USERS_ADMIN"), RULES + RULE.format("SSH")]
BPF, BPF_OBJ_GET, BPF_PROG_TEST_RUN = 321, 7, 10
turner = Service("e2e-turner")


@once
def turner_runs():
    rules_hold()
    for path in (ONE, OTHER):
        path.write_text("made for the end-to-end tests\n")
    turner.start()


class Turning:
    """The load, and the count of turns that it looks at: odd while one is being taken."""

    def __init__(self):
        PAGE.write_bytes(bytes(4096))
        self.file = os.open(PAGE, os.O_WRONLY)
        self.count = 0

    def turn(self, taken):
        self.say(self.count + 1)
        taken()
        self.say(self.count + 1)

    def say(self, count, stop=0):
        self.count = count
        os.pwrite(self.file, struct.pack("QQ", count, stop), 0)


@contextlib.contextmanager
def turning(turns):
    """Policy 0 is in force. At the end every verdict of the load was right, in most turns."""
    load = Turning()
    turner.must_allow("alternation_start", str(PAGE), str(ONE), str(OTHER))
    try:
        yield load
    finally:
        load.say(load.count, 1)
        results = turner.one("alternation_results")
    for one in results:
        promise(not one["wrong"], f"every verdict was right: {one}")
        promise(one["turns"] >= turns * 0.5, f"verdicts were asked for in most of {turns} turns: {one}")


def bpf(command, attributes):
    """bpf(2), as bpftool calls it; without a program to start, turns follow each other quickly."""
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(BPF, command, attributes, len(attributes))
    promise(result >= 0, f"bpf(2) command {command}: {os.strerror(ctypes.get_errno())}")
    return result


class Flip:
    """The pinned program that makes the other revision count."""

    def __init__(self):
        (pin,) = PINS.glob("*/programs/call_flip")
        self.path = ctypes.create_string_buffer(str(pin).encode())
        self.program = bpf(BPF_OBJ_GET, struct.pack("QII", ctypes.addressof(self.path), 0, 0))
        (page,) = PINS.glob("*/maps/bss")
        value = json.loads(must("bpftool", "-j", "map", "dump", "pinned", str(page)))[0]["value"]
        # struct bz_control: the epoch, the generation in each slot, the salt, the number of changes, and how long a start is.
        self.epoch, *generations, _, _, self.start = struct.unpack_from("6Q", bytes(int(byte, 16) for byte in value))
        self.generations = generations
        # struct bz_call_flip
        self.context = ctypes.create_string_buffer(16)

    def __call__(self):
        self.epoch += 1
        struct.pack_into("QQ", self.context, 0, self.generations[self.epoch % 2], self.start)
        # union bpf_attr, test: prog_fd, retval, data sizes, data, repeat, duration, ctx sizes, ctx_in, ctx_out, flags, cpu, batch_size
        bpf(BPF_PROG_TEST_RUN, struct.pack("4I2Q4I2Q4I", self.program, 0, 0, 0, 0, 0, 0, 0, 16, 0, ctypes.addressof(self.context),
                                           0, 0, 0, 0, 0))


@test
def policies_take_turns_by_apply():
    turner_runs()
    apply(POLICIES[0])
    started = time.monotonic()
    with turning(APPLIES) as load:
        for number in range(APPLIES):
            load.turn(lambda: apply(POLICIES[(number + 1) % 2]))
            time.sleep(0.1)
    print(f"     {(time.monotonic() - started) / APPLIES:.1f} s for each policy apply", flush=True)
    promise(stage.enforcing(), "it enforces")


@test
def policies_take_turns_a_thousand_times():
    turner_runs()
    apply(POLICIES[1])
    apply(POLICIES[0])
    # The daemon would find the kernel deciding by a revision that is not the one in force.
    must("systemctl", "stop", "bartizand")
    started = time.monotonic()
    try:
        flip = Flip()
        with turning(FLIPS) as load:
            for _ in range(FLIPS):
                load.turn(flip)
                time.sleep(0.01)
    finally:
        must("systemctl", "start", "bartizand")
    print(f"     {FLIPS} flips in {time.monotonic() - started:.0f} s", flush=True)
    promise(stage.enforcing(), "after an even number of flips the kernel holds the revision in force")
    apply(RULES)
    turner.stop()
    for path in (ONE, OTHER):
        path.unlink()
