# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Acts in a process of their own: they would change or replace the service otherwise."""

import os
import subprocess

from acting import checked, libc
from moves import cloned_into


def in_child(action):
    """Runs an action in a child; when the child was refused, so is the act. An action may end in another program."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            action()
        except OSError as refused:
            os.write(writing, str(refused.errno).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        refused = pipe.read()
    os.waitpid(child, 0)
    if refused:
        raise OSError(int(refused), "in a child")


def quiet(path, *arguments):
    """Becomes another program that says nothing."""
    nothing = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.execve(path, ["program", *arguments], {"PATH": "/usr/bin:/usr/sbin"})


def own_mounts():
    """A mount namespace for the calling process. What it then mounts stays in it, if it may say so."""
    new_namespace, recursive, private = 0x20000, 16384, 1 << 18
    checked(libc.unshare(new_namespace))
    libc.mount(b"none", b"/", None, recursive | private, None)


def said(path, *arguments, more=None):
    """Runs a program. A refusal that it reports counts as one; any other failure is told in its words. The loader does not say why
    it could not map a program."""
    done = subprocess.run([path, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          env={**os.environ, **(more or {})})
    if "Operation not permitted" in done.stderr:
        raise PermissionError(1, done.stderr)
    if "failed to map segment" in done.stderr:
        return "no effect"
    return "ok" if done.returncode == 0 else f"exit {done.returncode}: {(done.stderr or done.stdout).strip()[-120:]}"


def asks(path, *arguments):
    """Runs a program that may itself be told no, by something else than the kernel."""
    done = subprocess.run([path, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return "ok" if done.returncode == 0 else "refused"


def leaves(mark, path, *arguments):
    """Runs a program for what it leaves behind."""
    subprocess.run([path, *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return "ok" if os.path.exists(mark) else "no effect"


def from_cgroup(directory, *act):
    """Acts in a child that is born in another cgroup, or is only born there: no list of members is written to."""
    moved, _, *answers = cloned_into(directory, *([list(act)] if act else []))
    return [moved, *answers][-1]


ACTS = {"from_cgroup": from_cgroup, "said": said, "asks": asks, "leaves": leaves}
