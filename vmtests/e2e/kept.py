# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What objects were like before an act, to compare and to put back."""

import hashlib
import os
import pathlib
import shutil
import stat


def facts(path):
    """Everything that an act could change about a path; None where nothing is."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    if stat.S_ISREG(found.st_mode):
        content = hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
    elif stat.S_ISDIR(found.st_mode):
        content = sorted(os.listdir(path))
    else:
        content = None
    return (found.st_dev, found.st_ino, found.st_mode, found.st_uid, found.st_gid, found.st_nlink, found.st_size,
            found.st_mtime_ns, content)


class Kept:
    """A set of paths as they are now."""

    def __init__(self, paths):
        self.paths = [str(path) for path in paths]
        self.before = self.look()
        self.contents = {path: pathlib.Path(path).read_bytes() for path in self.paths if os.path.isfile(path)}

    def look(self):
        return {path: facts(path) for path in self.paths}

    def changed(self):
        """Paths that are not as they were."""
        now = self.look()
        return [path for path in self.paths if now[path] != self.before[path]]

    def put_back(self):
        for path in self.paths:
            before = self.before[path]
            if before is None:
                remove(path)
            elif path in self.contents:
                if not os.path.isfile(path) or pathlib.Path(path).read_bytes() != self.contents[path]:
                    pathlib.Path(path).write_bytes(self.contents[path])
                os.chmod(path, stat.S_IMODE(before[2]))
                os.chown(path, before[3], before[4])


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
