# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Those who have nothing to do with the rule: services without a model, other services, login sessions."""

import os
import pathlib
import pwd

from audit import audits, last
from ground import rules_hold, victim
from stage import must, promise, services, wait_for
from suite import test


def users():
    return {one.pw_name for one in pwd.getpwall()}


@test
def a_service_without_a_model_is_never_denied():
    rules_hold()
    since = last()
    must("systemd-run", "-q", "--wait", "--collect", "--unit=e2e-fresh", "/usr/sbin/useradd", "e2efresh")
    promise("e2efresh" in users(), "a service that nobody knew has made a user")
    model = wait_for("Bartizan knows the fresh service", lambda: services().get("e2e-fresh"))
    promise(model["state"] == "learning", f"it learns: {model}")
    must("userdel", "e2efresh")
    told = [one for one in audits() if one["id"] > since and one["service"] == "e2e-fresh" and one["verdict"]]
    promise(not told, f"nothing is recorded of it: {told}")
    promise("USERS_ADMIN" in wait_for("it has learned", lambda: services()["e2e-fresh"]["granted"]),
            "what it did is its model")


@test
def login_sessions_are_untouched():
    rules_hold()
    since = last()
    must("useradd", "-m", "e2esession")
    must("usermod", "-s", "/bin/sh", "e2esession")
    must("userdel", "-r", "e2esession")
    for path in ("/etc/ssh/sshd_config", "/etc/shells", "/etc/sudoers.d/README"):
        file = pathlib.Path(path)
        mode, text = file.stat().st_mode, file.read_bytes()
        file.write_bytes(text)
        file.chmod(0o600)
        file.chmod(mode & 0o7777)
        fresh = file.with_suffix(".e2e")
        fresh.write_bytes(text)
        fresh.chmod(mode & 0o7777)
        fresh.rename(file)
    must("mount", "-t", "tmpfs", "e2e", "/mnt")
    must("umount", "/mnt")
    told = [one for one in audits() if one["id"] > since and one["verdict"]]
    promise(not told, f"nothing is recorded of a session: {told}")


@test
def a_session_opened_while_the_rule_holds_may_all():
    rules_hold()
    # cron's and sshd's children become sessions by pam_systemd; here the manager of a user starts a program.
    must("systemd-run", "-q", "--scope", "--unit=e2e-session", "/usr/sbin/useradd", "e2escope")
    promise("e2escope" in users(), "the session's own scope may manage users")
    must("userdel", "e2escope")


@test
def nginx_ssh_and_cron_go_on():
    rules_hold()
    for unit in ("nginx", "ssh", "cron"):
        must("systemctl", "restart", unit)
        promise(must("systemctl", "is-active", unit).strip() == "active", f"{unit} runs")
    must("curl", "-sf", "-o", "/dev/null", "http://127.0.0.1/")
    greets = lambda: must("sh", "-c", "sleep 1 | nc -w 2 127.0.0.1 22 | head -c 4") == "SSH-"
    wait_for("sshd answers", greets)
    governed = ("victim", "clerk", "http-server", "lodger")
    denied = [one for one in audits() if one["verdict"] == "deny" and not one["service"].startswith(governed)]
    promise(not denied, f"nobody else was ever denied: {denied[:3]}")
    victim.must_deny("opened", "/etc/passwd", os.O_WRONLY)
