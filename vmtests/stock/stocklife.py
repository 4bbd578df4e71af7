# SPDX-License-Identifier: Apache-2.0 OR MIT
"""One service of Debian and the steps of its life; packages of the folder that fetch.py has made."""

import os
import pathlib
import time

from stage import NotAsPromised, run, wait_for

PACKAGES = pathlib.Path("/root/packages")


def apt(version, packages):
    """Installs or upgrades from one of the folders, as an administrator would, and by nothing but these files."""
    sources = PACKAGES / "sources.list"
    sources.write_text("".join(f"deb [trusted=yes] file:{PACKAGES}/{name} ./\n" for name in ("now", version)))
    options = ["-o", f"Dir::Etc::sourcelist={sources}", "-o", "Dir::Etc::sourceparts=-"]
    command(["apt-get", *options, "-q", "update"])
    command(["apt-get", *options, "-q", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold",
             "-o", "Dpkg::Use-Pty=0", "install", *packages])


def command(words):
    done = run(*words, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    if done.returncode != 0:
        raise NotAsPromised(f"`{' '.join(words)}` ended with {done.returncode}: {done.stdout[-1500:]}{done.stderr[-1500:]}")


def rotation_is_forced():
    """logrotate.service rotates everything, whatever the day."""
    drop_in = pathlib.Path("/etc/systemd/system/logrotate.service.d/stock.conf")
    drop_in.parent.mkdir(parents=True, exist_ok=True)
    drop_in.write_text("[Service]\nExecStart=\nExecStart=/usr/sbin/logrotate --force /etc/logrotate.conf\n")
    command(["systemctl", "daemon-reload"])


class Life:
    """What one service went through, step by step: `ok`, `none` where it has no such step, or what went wrong."""

    def __init__(self, given):
        self.name, self.package = given["name"], given["package"]
        self.model = self.name
        self.client = given.get("use")
        self.steps, self.failures = {}, []

    @property
    def version(self):
        return run("dpkg-query", "-W", "-f", "${Version}", self.package).stdout

    def note(self, step, failure):
        """Keeps the worst of each step."""
        if failure:
            self.failures.append(f"{step}: {failure.strip()[-600:]}")
        if self.steps.get(step) in (None, "ok"):
            self.steps[step] = "FAILED" if failure else "ok"

    def is_active(self):
        return run("systemctl", "is-active", self.name).stdout.strip() == "active"

    def words(self):
        return run("systemctl", "status", "--no-pager", "-n", "20", self.name).stdout

    def control(self, verb):
        """systemctl with a verb, after which the service runs, or after a stop does not."""
        # A socket would start it again at once: of rsyslog, that of the log itself.
        triggers = run("systemctl", "show", "-p", "TriggeredBy", "--value", self.name).stdout.split() if verb == "stop" else []
        done = run("systemctl", verb, self.name, *(one for one in triggers if one.endswith(".socket")))
        failure = done.stderr if done.returncode else ""
        if not failure and not self.settles(verb != "stop"):
            failure = f"it should {'not run' if verb == 'stop' else 'run'}: {self.words()}"
        self.note(verb, failure)

    def settles(self, active):
        try:
            wait_for(self.name, lambda: self.is_active() == active, 90)
        except NotAsPromised:
            return False
        return True

    def start(self):
        self.control("start")

    def restart(self):
        self.control("restart")

    def stop(self):
        self.control("stop")

    def reload(self):
        if run("systemctl", "show", "-p", "CanReload", "--value", self.name).stdout.strip() == "yes":
            self.control("reload")
        else:
            self.steps.setdefault("reload", "none")

    def use(self):
        """A client's request. A service that has just started may need some moments."""
        failure = ""
        for _ in range(10):
            done = run("sh", "-c", self.client)
            failure = "" if done.returncode == 0 else f"`{self.client}` ended with {done.returncode}: {done.stdout}{done.stderr}"
            if not failure:
                break
            time.sleep(1)
        self.note("use", failure)

    def rotate(self, lives):
        """Rotates the logs of all of them by the service that does so every night."""
        done = run("systemctl", "start", self.name)
        self.note("rotate", f"{done.stderr}{self.words()}" if done.returncode else "")
        for life in lives:
            if list(pathlib.Path("/etc/logrotate.d").glob(f"{life.name.split('-')[0]}*")):
                life.note("rotate", "" if life.is_active() else f"it does not run afterwards: {life.words()}")
            else:
                life.steps.setdefault("rotate", "none")

    def upgraded(self, version):
        right = self.version.endswith(f"+stock{version[-1]}")
        runs = self.client is None or self.is_active()
        self.note("upgrade", "" if right and runs else f"{self.package} {self.version} after {version}: {self.words()}")

    def lived(self):
        return not self.failures and {"start", "use", "restart", "upgrade", "stop"} <= set(self.steps)
