# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Keeps the processors from going to sleep while something is measured. Waking one up, above all a virtual one, is charged to
whoever is woken, and where nothing else runs that is more than what the daemon itself does with a few events; a host that does
anything has it seldom."""

import contextlib
import os
import signal


def stay(processor, parent):
    """Has this process run there whenever nobody else wants to, until its parent ends it or has ended. Never returns."""
    try:
        # What a terminal sends to all is for the parent.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        watch_over(parent)
        os.sched_setaffinity(0, {processor})
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        while True:
            pass
    finally:
        os._exit(1)


@contextlib.contextmanager
def processors():
    """While this is entered, something runs on each processor."""
    running = []
    parent = os.getpid()
    try:
        for processor in os.sched_getaffinity(0):
            child = os.fork()
            if child == 0:
                stay(processor, parent)
            running.append(child)
        yield
        if any(os.waitpid(child, os.WNOHANG) != (0, 0) for child in running):
            raise OSError("a process that keeps a processor awake has ended")
    finally:
        for child in running:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def watch_over(parent):
    """Ends this process soon after its parent, however that ends."""
    def look(*_):
        if os.getppid() != parent:
            os._exit(0)
    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)
