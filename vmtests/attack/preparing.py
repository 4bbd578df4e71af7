# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What scenarios need beforehand, made by an administrator. Each function returns one that does it."""

import os
import pathlib
import shutil
import subprocess

from scene import AREA


def here(name):
    return str(AREA / name)


def program(path):
    """A program that does nothing, made by an administrator."""

    def make():
        pathlib.Path(path).unlink(missing_ok=True)
        shutil.copy("/usr/bin/true", path)
        os.chmod(path, 0o755)

    return make


def setuid(path):
    def make():
        program(path)()
        os.chmod(path, 0o4755)

    return make


def gone(*paths):
    """Nothing has these names."""

    def make():
        for path in paths:
            pathlib.Path(path).unlink(missing_ok=True)

    return make


def copied(path, name):
    """A fresh copy below the area, which may take the original's place without harm."""

    def make():
        gone(here(name))()
        shutil.copy2(path, here(name))

    return make


def in_turn(*steps):
    def make():
        for step in steps:
            step()

    return make


def unmounted(*paths):
    def make():
        for path in paths:
            subprocess.run(["umount", "-q", path], check=False, stderr=subprocess.DEVNULL)

    return make


def mounted(path):
    def make():
        unmounted(path)()
        subprocess.run(["mount", "-t", "tmpfs", "attack", path], check=True)

    return make
