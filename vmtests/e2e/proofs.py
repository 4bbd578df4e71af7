# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Each capability and access, by one thing that must need it and a close neighbour that must not: the table is proofs.tsv.

A service is refused every capability there is. The neighbours are its to touch all the same."""

import os
import pathlib
import shutil
import socket

import ground
from audit import audits, last
from service import Service
from stage import promise, wait_for
from suite import test

TABLE = [line.split("\t") for line in pathlib.Path(__file__).with_name("proofs.tsv").read_text().splitlines() if line[0] != "#"]
RULE = "e2e proofs"
NAMES = dict.fromkeys(capability for capability, *_ in TABLE)
REFUSED = f'\n[[rule]]\nname = "{RULE}"\nservices = ["e2e-prover"]\n[rule.capabilities]\n' + "".join(f'{name} = "prevent"\n' for name in NAMES)
AREA = pathlib.Path("/srv/e2e-proofs")
prover = Service("e2e-prover")


class Stand:
    """What is touched, brought into being where it is missing, and taken away again."""

    def __init__(self):
        self.made, self.listeners, self.texts = [], [], {}

    def bring(self, access, path):
        if not path.exists():
            self.directories(path.parent)
            self.made.append(path)
            if access == "execute":
                shutil.copy("/bin/true", path)
            elif path.suffix == ".sock":
                self.listeners.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                self.listeners[-1].bind(str(path))
                self.listeners[-1].listen(8)
            else:
                path.touch()
        if access == "rename":
            self.texts[path] = path.read_bytes()

    def directories(self, path):
        if not path.exists():
            self.directories(path.parent)
            path.mkdir()
            self.made.append(path)

    def clear(self):
        for path, text in self.texts.items():
            if path.read_bytes() != text:
                path.write_bytes(text)
        for one in self.listeners:
            one.close()
        for path in reversed(self.made):
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink(missing_ok=True)


def attempt(access, path):
    """The service's answer; the file is as it was."""
    if access == "execute":
        return prover.one("execute", path, "--version")
    if access == "connect":
        return prover.one("connect_unix", path)
    if access == "rename":
        shutil.copy2(path, AREA / "twin")
        return prover.one("rename", str(AREA / "twin"), path)
    if path.endswith(".sock"):
        return prover.one("chmod", path, 0o755)
    return prover.one("opened", path, os.O_RDONLY if access == "read" else os.O_WRONLY)


@test
def each_capability_is_needed_for_what_it_is_about_and_not_for_its_neighbour():
    ground.rules_hold()
    prover.start()
    stand = Stand()
    try:
        stand.directories(AREA)
        for _, access, path, neighbour in TABLE:
            stand.bring(access, pathlib.Path(path))
            stand.bring(access, pathlib.Path(neighbour))
        wrong = [f"without a rule, {access} {path}: {answer}" for _, access, *paths in TABLE for path in paths
                 if (answer := attempt(access, path)) != "ok"]
        ground.apply(ground.RULES + REFUSED)
        since = last()
        for _, access, path, neighbour in TABLE:
            answers = attempt(access, path), attempt(access, neighbour)
            if answers != ("EPERM", "ok"):
                wrong.append(f"{access} {path} and {neighbour}: {answers}")
        promise(not wrong, "; ".join(wrong))
        wait_for("all are on record", lambda: not missing(since))
    finally:
        prover.stop()
        stand.clear()
        ground.apply(ground.RULES)


def missing(since):
    """Rows whose refusal is on no record that names its capability and the rule."""
    told = {(one["path"], one["access"], name) for one in audits("--service", "e2e-prover") for name in one["capabilities"]
            if one["id"] > since and one["verdict"] == "deny" and one["rule"] == RULE}
    return [row for row in TABLE if (row[2], "write" if row[1] == "rename" else row[1], row[0]) not in told]
