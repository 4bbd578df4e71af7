# SPDX-License-Identifier: Apache-2.0 OR MIT
"""How the service under test performs acts: by name, in itself or in a child. Others enter their acts in ACTS."""

import ctypes
import errno
import json
import os

libc = ctypes.CDLL(None, use_errno=True)
ACTS = {}


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "libc")
    return result


def perform(request):
    """One act: "ok", the name of its errno, or what the act itself returns."""
    name, *arguments = request
    try:
        result = ACTS[name](*arguments)
    except OSError as refused:
        return errno.errorcode.get(refused.errno, str(refused))
    except Exception as mistake:  # the tests' own mistake, which they shall see
        return repr(mistake)
    return "ok" if result is None else result


def forked(action):
    """Runs an action in a child. What it returns, to be asked for later."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, json.dumps(action()).encode())
        finally:
            os._exit(0)
    os.close(writing)

    def answer():
        with os.fdopen(reading) as pipe:
            text = pipe.read()
        os.waitpid(child, 0)
        return json.loads(text)

    return answer
