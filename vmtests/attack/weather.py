# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What goes on around a trial: an administrator who moves things about, and restarts."""

import contextlib
import ctypes
import os
import signal
import subprocess
import threading

import scene
from preparing import unmounted
from stage import must, promise, run, wait_for

libc = ctypes.CDLL(None, use_errno=True)
DROPS = 3  # each mount is compiled anew, which takes a second


@contextlib.contextmanager
def race(kind, trial):
    """Something of an administrator's own, again and again while the trial runs."""
    step = {"its directory moved": moved, "it is replaced": replaced, "it is exchanged": exchanged, "labels dropped": dropped}.get(kind)
    if not step:
        yield
        return
    over, mistakes = threading.Event(), []

    def again():
        rounds = 0
        while not over.is_set() and (step is not dropped or rounds < DROPS):
            try:
                step(trial)
            except OSError as mistake:
                mistakes.append(mistake)
            rounds += 1

    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    promise(not mistakes, f"the administrator may do what the race asks for: {mistakes[:1]}")


def moved(trial):
    """The directory with the other name goes away and comes back."""
    os.rename(trial.room, f"{trial.room}-away")
    os.rename(f"{trial.room}-away", trial.room)


def replaced(trial):
    fresh = f"{trial.target}.fresh"
    with open(fresh, "w") as file:
        file.write("# nothing\n")
    os.rename(fresh, trial.target)


def exchanged(trial):
    """Twice is as before."""
    for _ in range(2):
        if libc.syscall(316, -100, trial.target.encode(), -100, trial.other.encode(), 2):
            raise OSError(ctypes.get_errno(), "renameat2")


def dropped(_):
    place = str(scene.AREA / "tmpfs")
    subprocess.run(["mount", "-t", "tmpfs", "attack", place], check=True)
    unmounted(place)()


class Restarts:
    """One restart at a time, while trials go on."""

    def __init__(self):
        self.thread, self.done, self.mistakes = None, {}, []

    def begin(self, kind):
        self.finish()
        if kind == "the service restarts":
            restart_service()
        else:
            self.thread = threading.Thread(target=self.attempt, args=(kind,))
            self.thread.start()
        self.done[kind] = self.done.get(kind, 0) + 1

    def attempt(self, kind):
        try:
            restart(kind)
        except Exception as mistake:  # told at the end, since this is a thread
            self.mistakes.append(f"{kind}: {mistake}")

    def finish(self):
        if self.thread:
            self.thread.join()
            self.thread = None
        promise(not self.mistakes, f"every restart ends well: {self.mistakes}")


def restart(kind):
    if kind == "SIGKILL":
        old = scene.main_pid("bartizand")
        os.kill(old, signal.SIGKILL)
        wait_for("the daemon is back", lambda: scene.main_pid("bartizand") not in (0, old) and scene.stage.enforcing(), 90)
    elif kind == "restart":
        must("systemctl", "restart", "bartizand")
        scene.back()
    else:
        must("bartizan", "policy", "apply")


def restart_service():
    service = scene.SERVICES["hijacked"]
    service.stop()
    run("systemctl", "reset-failed", "hijacked.service")
    service.start()
