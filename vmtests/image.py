# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Guest images: built once, kept outside the checkout, named by a digest of everything that goes into them."""

import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "bartizan"
KEEP_OLD = 2  # images of earlier inputs that are left for other checkouts


class Failure(Exception):
    """The runner itself could not do its work; told to the person, exit status 125."""


def matrix():
    with open(HERE / "kernels.toml", "rb") as file:
        return tomllib.load(file)


def mirror():
    """The Debian mirror of this machine, so that no host name stands in the tree."""
    if os.environ.get("BARTIZAN_MIRROR"):
        return os.environ["BARTIZAN_MIRROR"].rstrip("/")
    sources = [pathlib.Path("/etc/apt/sources.list"), *sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*"))]
    for source in sources:
        if not source.is_file():
            continue
        for line in source.read_text(errors="replace").splitlines():
            found = re.match(r"\s*(?:URIs:\s*|deb\s+(?:\[[^]]*\]\s*)?)(\S+)", line)
            if found and re.search(r"/debian/?$", found.group(1)):
                return found.group(1).rstrip("/")
    raise Failure("no Debian mirror in /etc/apt: set BARTIZAN_MIRROR to the address of one")


def tool(arguments, log, **more):
    """Runs a build step; its output goes to the log, whose end is shown when it fails."""
    log.write(f"+ {' '.join(map(str, arguments))}\n")
    log.flush()
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **more)
    if done.returncode != 0:
        log.flush()
        tail = pathlib.Path(log.name).read_text(errors="replace").splitlines()[-30:]
        raise Failure(f"{arguments[0]} failed with {done.returncode}; the end of {log.name}:\n" + "\n".join(tail))


def key_pair():
    """The key that opens every guest of this user."""
    CACHE.mkdir(parents=True, exist_ok=True)
    key = CACHE / "guest_key"
    with open(CACHE / "key.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    return key


def image(release, note):
    """The directory with the image of a release: root.img and, per kernel, vmlinuz-NAME and initrd-NAME."""
    data = matrix()
    if release not in data["release"]:
        raise Failure(f"unknown release {release!r}: kernels.toml has {', '.join(data['release'])}")
    key = key_pair()
    digest = hashlib.sha256()
    for part in ("kernels.toml", "image.py", "guest-setup.sh"):
        digest.update((HERE / part).read_bytes())
    digest.update(key.with_suffix(".pub").read_bytes())
    target = CACHE / f"{release}-{digest.hexdigest()[:16]}"
    with open(CACHE / f"{release}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / "complete").exists():
            note(f"building the guest image of {release} (once; a few minutes) ...")
            build(release, data, key, target)
            forget_old(release, target)
    return target


def forget_old(release, target):
    others = [path for path in CACHE.glob(f"{release}-*") if (path / "complete").exists() and path != target]
    for path in sorted(others, key=lambda path: path.stat().st_mtime)[:-KEEP_OLD or None]:
        shutil.rmtree(path, ignore_errors=True)


def build(release, data, key, target):
    base = mirror()
    # What builds that were killed have left goes as far as it can be removed. A program of theirs may still write there, or
    # a mount of theirs be in the way: each build has a directory of its own, so neither can hold up this one.
    for left in [target, *CACHE.glob(f"{release}-*.building*")]:
        shutil.rmtree(left, ignore_errors=True)
    work = pathlib.Path(tempfile.mkdtemp(prefix=f"{target.name}.building.", dir=CACHE))
    work.chmod(0o755)
    root = work / "root"
    suites = list(data["release"][release]["suites"])
    with open(CACHE / f"{release}.build.log", "w") as log:
        # Kernels may come from suites of another release: these are unpacked, not installed.
        lines = [f"deb {base} {suite} main" for suite in suites]
        tool(
            ["mmdebstrap", "--mode=root", "--variant=minbase", "--skip=check/empty",
             "--include=" + ",".join(data["guest"]["packages"]), suites[0], str(root), *lines],
            log,
        )
        kernels(data, base, root, work, log)
        shutil.copy(HERE / "guest-setup.sh", root / "setup.sh")
        shutil.copy(key.with_suffix(".pub"), root / "guest_key.pub")
        tool(["chroot", str(root), "/bin/sh", "/setup.sh"], log)
        for name in data["kernel"]:
            shutil.move(root / f"boot/vmlinuz-{name}", work / f"vmlinuz-{name}")
            shutil.move(root / f"boot/initrd-{name}", work / f"initrd-{name}")
        tool(["mke2fs", "-q", "-t", "ext4", "-d", str(root), "-L", "root", "-E", "lazy_itable_init=1",
              str(work / "root.img"), "4G"], log)
        shutil.rmtree(root)
        (work / "complete").touch()
    work.rename(target)


def kernels(data, base, root, work, log):
    """Unpacks every kernel of the matrix into the root and notes its version in /boot/NAME.version."""
    state = work / "apt"
    for part in ("lists/partial", "cache/archives/partial"):
        (state / part).mkdir(parents=True)
    (state / "status").touch()
    wanted = sorted({suite for kernel in data["kernel"].values() for suite in kernel["suites"]})
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (state / "sources.list").write_text("".join(f"deb [signed-by={keyring}] {base} {suite} main\n" for suite in wanted))
    options = ["-o", f"Dir::State={state}", "-o", f"Dir::State::status={state}/status", "-o", f"Dir::Cache={state}/cache",
               "-o", f"Dir::Etc::sourcelist={state}/sources.list", "-o", "Dir::Etc::sourceparts=-",
               "-o", "APT::Architecture=amd64", "-o", "APT::Architectures=amd64", "-o", "APT::Sandbox::User=root"]
    tool(["apt-get", *options, "update"], log)
    for name, kernel in data["kernel"].items():
        packages = kernel_packages(kernel, options)
        into = work / "kernel"
        into.mkdir()
        tool(["apt-get", *options, "download", *packages], log, cwd=into)
        for package in sorted(into.glob("*.deb")):
            tool(["dpkg-deb", "-x", str(package), str(into / "tree")], log)
        place(into / "tree", root, name)
        shutil.rmtree(into)


def depends(package, options):
    show = subprocess.run(["apt-cache", *options, "show", package], capture_output=True, text=True)
    found = re.search(r"^Depends: (.*)$", show.stdout, re.M)
    return re.findall(r"(linux-(?:image|binary|modules|base)-[^\s,(]+)(?: \(= ([^)]+)\))?", found.group(1)) if found else []


def kernel_packages(kernel, options):
    """The packages that hold the kernel's image and modules, by following the meta package."""
    listed = subprocess.run(["apt-cache", *options, "madison", "linux-image-cloud-amd64"], capture_output=True, text=True)
    rows = [[part.strip() for part in line.split("|")] for line in listed.stdout.splitlines()]
    for suite in kernel["suites"]:
        for row in rows:
            if row[1].startswith(kernel["series"]) and f" {suite}/" in f" {row[2]} ":
                return closure(f"linux-image-cloud-amd64={row[1]}", row[1], options)
    raise Failure(f"no kernel {kernel['series'] or 'at all'} in {kernel['suites']}; offered: {listed.stdout}")


def closure(package, version, options):
    seen, queue = [], [package]
    while queue:
        current = queue.pop()
        if current in seen:
            continue
        seen.append(current)
        for name, exact in depends(current, options):
            if name != "linux-base":
                queue.append(f"{name}={exact}" if exact else name)
    return [one for one in seen if not one.startswith("linux-image-cloud-amd64=")]


def place(tree, root, name):
    modules = [path for base in ("lib/modules", "usr/lib/modules") for path in (tree / base).glob("*/kernel")]
    if not modules:
        raise Failure(f"the packages of kernel {name} hold no modules")
    version = modules[0].parent.name
    images = [*tree.glob(f"boot/vmlinuz-{version}"), *tree.glob(f"usr/lib/modules/{version}/vmlinuz")]
    if not images:
        raise Failure(f"the packages of kernel {name} hold no vmlinuz for {version}")
    shutil.copytree(modules[0].parent, root / "usr/lib/modules" / version, symlinks=True, dirs_exist_ok=True)
    shutil.copy(images[0], root / f"boot/vmlinuz-{name}")
    for config in [*tree.glob(f"boot/config-{version}"), *tree.glob(f"usr/lib/modules/{version}/config")]:
        shutil.copy(config, root / f"boot/config-{version}")
    (root / f"boot/{name}.version").write_text(version)
