# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The service under test. It performs acts by name inside itself, so that they carry its label and need no shell.

One JSON request a connection on an abstract socket: a list of [act, argument…]. The answer is a list, for each act
"ok", the name of its errno, or what the act itself returns."""

import errno
import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time

# These enter their acts.
import alternate  # noqa: F401
import calls
import doors  # noqa: F401
import moves  # noqa: F401
import reach  # noqa: F401
from acting import ACTS, checked, forked, libc, perform

# Numbers of system calls that Python's library does not wrap, x86-64.
OPEN_TREE, MOVE_MOUNT, RENAMEAT2 = 428, 429, 316
AT_FDCWD = -100
CONNECTING = (errno.EINPROGRESS, errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH)


def opened(path, flags, mode=0o644):
    os.close(os.open(path, flags, mode))


def append(path, text):
    with open(path, "a") as file:
        file.write(text)


def exchange(one, other):
    checked(libc.syscall(RENAMEAT2, AT_FDCWD, one.encode(), AT_FDCWD, other.encode(), 2))


def there_and_back(path):
    """Moves a directory away and at once back again."""
    os.rename(path, path + ".e2e-away")
    os.rename(path + ".e2e-away", path)


def execute(path, *arguments):
    subprocess.run([path, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def output(path, *arguments):
    done = subprocess.run([path, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return [done.returncode, done.stdout + done.stderr]


def execute_descriptor(path):
    """Runs the file behind a descriptor; no name is given to the kernel."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        subprocess.run([f"/proc/self/fd/{descriptor}", "--help"], pass_fds=[descriptor], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)
    finally:
        os.close(descriptor)


def connect(family, kind, address, port):
    """Does not wait for an answer: what is asked is whether the kernel lets it start."""
    with socket.socket(getattr(socket, family), getattr(socket, kind)) as one:
        one.setblocking(False)
        result = one.connect_ex((address, port))
    return "ok" if result == 0 or result in CONNECTING else errno.errorcode[result]


def connect_unix(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.connect(path)


def mount_tmpfs(target):
    checked(libc.mount(b"tmpfs", target.encode(), b"tmpfs", 0, None))


def bind(source, target):
    checked(libc.mount(source.encode(), target.encode(), None, 4096, None))


def bind_by_descriptor(source, target):
    """The newer way to a bind mount, which never calls mount(2)."""
    tree = checked(libc.syscall(OPEN_TREE, AT_FDCWD, source.encode(), 1))
    try:
        checked(libc.syscall(MOVE_MOUNT, tree, b"", AT_FDCWD, target.encode(), 4))
    finally:
        os.close(tree)


def unmount(target, flags=0):
    checked(libc.umount2(target.encode(), flags))


def race(seconds, forbidden, allowed):
    """Opens all for writing at once, each path in a process of its own. How often, and how often otherwise than expected."""

    def again(path, expected):
        done, wrong, end = 0, 0, time.monotonic() + seconds
        while time.monotonic() < end:
            wrong += perform(["opened", path, os.O_WRONLY]) != expected
            done += 1
        return [path, done, wrong]

    runs = [forked(lambda path=path: again(path, "EPERM")) for path in forbidden]
    runs += [forked(lambda path=path: again(path, "ok")) for path in allowed]
    return [answer() for answer in runs]


class Load:
    """A forbidden and an allowed open in turn until told to stop."""

    running, thread, counts = False, None, {}

    @classmethod
    def start(cls, forbidden, allowed):
        cls.running, cls.counts = True, {"rounds": 0, "succeeded": 0, "refused": 0}
        cls.thread = threading.Thread(target=cls.go, args=(forbidden, allowed))
        cls.thread.start()

    @classmethod
    def go(cls, forbidden, allowed):
        while cls.running:
            cls.counts["succeeded"] += perform(["opened", forbidden, os.O_WRONLY]) != "EPERM"
            cls.counts["refused"] += perform(["opened", allowed, os.O_WRONLY]) != "ok"
            cls.counts["rounds"] += 1
            time.sleep(0.002)

    @classmethod
    def stop(cls):
        cls.running = False
        cls.thread.join()
        return cls.counts


ACTS.update({
    "opened": opened, "append": append, "truncate": os.truncate,
    "chmod": os.chmod, "chown": os.chown, "utime": lambda path, times: os.utime(path, tuple(times)),
    "rename": os.rename, "exchange": exchange, "there_and_back": there_and_back, "link": os.link, "symlink": os.symlink,
    "unlink": os.unlink, "mkdir": os.mkdir, "mknod": os.mknod, "rmdir": os.rmdir,
    "execute": execute, "output": output, "execute_descriptor": execute_descriptor,
    "connect": connect, "connect_unix": connect_unix,
    "mount_tmpfs": mount_tmpfs, "bind": bind, "bind_by_descriptor": bind_by_descriptor, "unmount": unmount,
    "pid": os.getpid,
    **calls.ACTS,
    "race": race, "load_start": Load.start, "load_stop": Load.stop, "load_so_far": lambda: Load.counts,
})


class Request(socketserver.StreamRequestHandler):
    def handle(self):
        answers = [perform(one) for one in json.loads(self.rfile.readline())]
        self.wfile.write(json.dumps(answers).encode())


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def serve(name):
    Server(f"\0{name}", Request).serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1])
