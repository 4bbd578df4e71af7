# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Stand-ins for the places that records go to: a journal, a syslog receiver over TCP, and receivers of OCSF and OTLP over HTTP.
Each takes what comes and throws it away."""

import pathlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

JOURNAL = pathlib.Path("/run/systemd/journal/socket")


class Http(BaseHTTPRequestHandler):
    """Takes a body and says that it has it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        left = int(self.headers["content-length"])
        while left > 0 and (piece := self.rfile.read(min(left, 1 << 20))):
            left -= len(piece)
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def take(receive):
    while receive(1 << 20):
        pass


def accepting(listener):
    while True:
        stream, _ = listener.accept()
        threading.Thread(target=take, args=(stream.recv,), daemon=True).start()


def start(journal=True):
    """Starts all of them, in threads of this process; the configuration of sinks that leads to them."""
    if journal:
        threading.Thread(target=from_journal, args=(journals(),), daemon=True).start()
    syslog = socket.create_server(("127.0.0.1", 0))
    web = ThreadingHTTPServer(("127.0.0.1", 0), Http)
    for target in (lambda: accepting(syslog), web.serve_forever):
        threading.Thread(target=target, daemon=True).start()
    tcp, http = syslog.getsockname()[1], web.server_address[1]
    return (f'\n[[sink]]\nkind = "syslog"\nto = "tcp://127.0.0.1:{tcp}"\n\n'
            f'[[sink]]\nkind = "ocsf"\nto = "http://127.0.0.1:{http}/ocsf"\n\n'
            f'[[sink]]\nkind = "otlp"\nto = "http://127.0.0.1:{http}/v1/logs"\n')


def journals():
    """A socket where journald's own would be."""
    JOURNAL.parent.mkdir(parents=True, exist_ok=True)
    journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    # As journald's own, that senders seldom wait.
    journal.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    journal.bind(str(JOURNAL))
    return journal


def from_journal(journal):
    while True:
        journal.recv(1 << 16)
