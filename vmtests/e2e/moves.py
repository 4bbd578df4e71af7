# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Acts performed by descendants of the service, and by those that have moved: whoever they become, they stay the service."""

import ctypes
import json
import os
import signal
import struct

from acting import ACTS, checked, forked, perform

CLONE3, CLONE_INTO_CGROUP = 435, 0x200000000
# Holds the interpreter's lock, so that the child of a bare clone can go on in Python.
bare = ctypes.PyDLL(None, use_errno=True)


def where():
    with open("/proc/self/cgroup") as file:
        return file.read().split("::")[1].strip()


def move_to_cgroup(directory):
    with open(f"{directory}/cgroup.procs", "w") as file:
        file.write(str(os.getpid()))


def in_cgroup(directory, *acts):
    """Acts in a child that moves itself to another cgroup first: the service itself stays where it is."""

    def action():
        moved = perform(["move_to_cgroup", directory])
        return [moved, where(), *(perform(one) for one in acts)]

    return forked(action)()


def cloned_into(directory, *acts):
    """The same for a child that is born in the other cgroup."""

    def action():
        target = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        reading, writing = os.pipe()
        # struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup
        arguments = struct.pack("11Q", CLONE_INTO_CGROUP, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, target)
        child = bare.syscall(CLONE3, arguments, len(arguments))
        if child == 0:
            os.write(writing, json.dumps(["ok", where(), *(perform(one) for one in acts)]).encode())
            os._exit(0)
        try:
            checked(child)
        except OSError as refused:
            return [str(refused)]
        os.close(writing)
        with os.fdopen(reading) as pipe:
            text = pipe.read()
        os.waitpid(child, 0)
        return json.loads(text)

    return forked(action)()


def orphaned(directory, *acts):
    """Acts of a grandchild that leads a session of its own, whose parent has gone, and that then moves."""

    def action():
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.setsid()
            parent = os.getpid()
            if os.fork() == 0:
                os.close(reading)
                while os.getppid() == parent:
                    os.sched_yield()
                moved = perform(["move_to_cgroup", directory]) if directory else "ok"
                os.write(writing, json.dumps([moved, os.getppid(), *(perform(one) for one in acts)]).encode())
            os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        with os.fdopen(reading) as pipe:
            return json.loads(pipe.read())

    return forked(action)()


class Kept:
    """A child in another cgroup that waits for an act."""

    child, asking, answer = None, None, None

    @classmethod
    def waits(cls, directory):
        waiting, cls.asking = os.pipe()

        def action():
            moved = perform(["move_to_cgroup", directory])
            with os.fdopen(waiting) as pipe:
                return [moved, perform(json.loads(pipe.readline()))]

        cls.answer = forked(action)
        os.close(waiting)

    @classmethod
    def does(cls, act):
        os.write(cls.asking, json.dumps(act).encode() + b"\n")
        os.close(cls.asking)
        moved, answer = cls.answer()
        return answer if moved == "ok" else f"not moved: {moved}"


def spawned(path, *arguments):
    """A program started by posix_spawn, which uses vfork. Its exit status."""
    child = os.posix_spawn(path, [path, *arguments], os.environ)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def replaced(path, *arguments):
    """A child becomes another program, of which it is then one more child. The last one's exit status."""
    child = os.fork()
    if child == 0:
        os.execv("/usr/bin/env", ["env", "nice", path, *arguments])
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def subgroup(name):
    """A cgroup below one's own."""
    path = f"/sys/fs/cgroup{where()}/{name}"
    os.mkdir(path)
    return path


ACTS.update({
    "where": where, "move_to_cgroup": move_to_cgroup, "in_cgroup": in_cgroup, "cloned_into": cloned_into, "orphaned": orphaned,
    "spawned": spawned, "replaced": replaced, "subgroup": subgroup, "kept_in_cgroup": Kept.waits, "kept_does": Kept.does,
    "forked": lambda *acts: forked(lambda: [perform(one) for one in acts])(),
})
