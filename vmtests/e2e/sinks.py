# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Records in other places: a receiver that is down for a while gets all, and one that hangs holds back nobody."""

import json
import os
import pathlib
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import stage
from audit import audits, last
from ground import rules_hold, victim
from stage import must, promise, run, wait_for
from suite import test

CONFIGURATION = pathlib.Path("/etc/bartizan/bartizan.toml")
SYSLOG, OTLP, HANGING = 5514, 4318, 5515
SINKS = f"""
[[sink]]
kind = "syslog"
to = "tcp://127.0.0.1:{SYSLOG}"

[[sink]]
kind = "otlp"
to = "http://127.0.0.1:{OTLP}/v1/logs"

[[sink]]
name = "hanging"
kind = "ocsf"
to = "http://127.0.0.1:{HANGING}/"
"""


class Receiver(BaseHTTPRequestHandler):
    """Takes logs of OTLP."""

    got = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        for log in body["resourceLogs"][0]["scopeLogs"][0]["logRecords"]:
            attributes = {one["key"]: one["value"] for one in log["attributes"]}
            self.got.append(int(attributes["bartizan.id"]["intValue"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def frames(listener, got):
    """Reads messages with octet counting, until the listener is closed."""
    while True:
        try:
            stream = listener.accept()[0].makefile("rb")
        except OSError:
            return
        while True:
            size = b""
            while (byte := stream.read(1)) not in (b"", b" "):
                size += byte
            if not size:
                break
            got.append(stream.read(int(size)).decode())


def restart():
    must("systemctl", "restart", "bartizand")
    wait_for("Bartizan enforces", stage.enforcing)


def denials(word, number):
    for one in range(number):
        victim.must_deny("opened", f"/etc/sudoers.d/e2e-{word}-{one}", os.O_WRONLY | os.O_CREAT)
    wait_for("they are on record", lambda: [one for one in audits() if one["message"].endswith(f"e2e-{word}-{number - 1}")])


@test
def a_receiver_that_was_down_gets_every_record_once():
    rules_hold()
    before, kept = last(), CONFIGURATION.read_text() if CONFIGURATION.exists() else None
    hanging = socket.create_server(("127.0.0.1", HANGING))
    try:
        CONFIGURATION.write_text((kept or "") + SINKS)
        restart()
        denials("sink-down", 20)
        # Nobody has listened until now, but for the one that never answers.
        got = []
        listener = socket.create_server(("127.0.0.1", SYSLOG))
        threading.Thread(target=frames, args=(listener, got), daemon=True).start()
        server = HTTPServer(("127.0.0.1", OTLP), Receiver)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        denials("sink-up", 5)
        newest = last()
        wait_for("OTLP has the newest record", lambda: newest in Receiver.got)
        wait_for("syslog has it", lambda: any(f' id="{newest}" ' in one for one in got))
        mine = [one["id"] for one in audits() if before < one["id"] <= newest and "e2e-sink-" in one["message"]]
        for one in mine:
            promise(Receiver.got.count(one) == 1, f"OTLP has record {one} once: {Receiver.got}")
            told = [line for line in got if f' id="{one}" ' in line]
            promise(len(told) == 1 and told[0].startswith("<108>1 "), f"syslog has record {one} once: {told}")
        server.shutdown()
        listener.close()
    finally:
        hanging.close()
        if kept is None:
            CONFIGURATION.unlink()
        else:
            CONFIGURATION.write_text(kept)
        restart()


@test
def a_bad_sink_is_refused_with_its_place():
    bad = pathlib.Path("/run/e2e-bad.toml")
    bad.write_text('[[sink]]\nkind = "syslog"\nto = "127.0.0.1:514"\n')
    refused = run("bartizand", "--config", str(bad))
    promise(refused.returncode == 2 and f"{bad}:3:6: expected udp://HOST:PORT" in refused.stderr, f"told with its place: {refused}")


@test
def a_stopped_journal_holds_nothing_back():
    rules_hold()
    before = last()
    must("systemctl", "kill", "-s", "SIGSTOP", "--kill-who=main", "systemd-journald")
    try:
        started = time.monotonic()
        denials("no-journal", 5)
        promise(time.monotonic() - started < 30, "records come all the same")
    finally:
        must("systemctl", "kill", "-s", "SIGCONT", "--kill-who=main", "systemd-journald")
    wanted = [one["id"] for one in audits() if one["id"] > before and "e2e-no-journal-" in one["message"]]
    wait_for("the journal gets them when it goes on", lambda: all(
        must("journalctl", f"AUDIT_ID={one}", "-o", "cat", "--no-pager").strip() for one in wanted), 60)
