#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A small web application with a hole: /lookup hands its parameter to a shell."""

import http.server
import subprocess
import urllib.parse


class Application(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        if url.path == "/":
            self.answer("Welcome.\n")
        elif url.path == "/lookup":
            # The hole: `name` may hold anything that a shell understands.
            done = subprocess.run(f"getent hosts {query['name'][0]}", shell=True, capture_output=True, text=True)
            self.answer(done.stdout + done.stderr)
        else:
            self.send_error(404)

    def answer(self, text):
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Application).serve_forever()
