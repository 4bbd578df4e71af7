# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Services that perform acts on demand, see victim.py."""

import json
import pathlib
import shutil
import socket

from stage import must, promise, run, services, wait_for

PROGRAM = pathlib.Path("/opt/victim.py")
# Beside the program: what it imports.
PARTS = ["victim.py", "calls.py", "acting.py", "alternate.py", "doors.py", "moves.py", "reach.py"]


class Service:
    """A unit that runs victim.py. It is transient: a unit file would cost a daemon-reload."""

    def __init__(self, name, properties=()):
        self.name = name
        self.properties = [f"--property={one}" for one in properties]

    @staticmethod
    def copy():
        for part in PARTS:
            shutil.copy(pathlib.Path(__file__).with_name(part), PROGRAM.with_name(part))

    def start(self):
        self.copy()
        must("systemd-run", "-q", "--collect", f"--unit={self.name}.service", *self.properties, "python3", "-B", str(PROGRAM), self.name)
        wait_for(f"{self.name} answers", self.answers)

    def answers(self):
        try:
            return self.do(["pid"])
        except OSError:
            return None

    def stop(self):
        run("systemctl", "stop", f"{self.name}.service")

    def do(self, *acts):
        """Has the service perform acts; one answer for each."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
            one.connect("\0" + self.name)
            one.sendall(json.dumps(acts).encode() + b"\n")
            with one.makefile() as answer:
                return json.loads(answer.read())

    def one(self, *act):
        return self.do(list(act))[0]

    def must_allow(self, *act):
        answer = self.one(*act)
        promise(answer == "ok", f"{self.name} may {act}, but: {answer}")

    def must_deny(self, *act):
        answer = self.one(*act)
        promise(answer == "EPERM", f"{self.name} is refused {act} with EPERM, but: {answer}")

    def known(self):
        """Its entry in `services --json`, once there is one."""
        model = self.name.split("@")[0] + "@" if "@" in self.name else self.name
        return wait_for(f"Bartizan knows {model}", lambda: services().get(model))

