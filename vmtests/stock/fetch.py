# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The packages of the stock services for a guest without a network: as Debian has them, and as a later version.

    fetch.py [NAME…]    fetches what is not there yet, and prints the folder

A later version is the same files under a higher number, so that an upgrade runs all that an upgrade runs."""

import fcntl
import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import image  # noqa: E402
from image import Failure, tool  # noqa: E402

RELEASE = "bookworm"
LATER = ("later1",)


def wanted(names):
    with open(HERE / "services.toml", "rb") as file:
        data = tomllib.load(file)
    chosen = [one["package"] for one in data["service"] if not names or one["name"] in names]
    return [*chosen, data["rotation"]["package"]]


def apt(work, guest):
    """Options that make apt see the guest's packages and Debian's, and nothing of this machine but its mirror."""
    for part in ("lists/partial", "cache/archives/partial"):
        (work / part).mkdir(parents=True)
    subprocess.run(["debugfs", "-R", f"dump /var/lib/dpkg/status {work}/status", str(guest / "root.img")], check=True,
                   capture_output=True)
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    suites = [RELEASE, f"{RELEASE}-updates"]
    (work / "sources.list").write_text("".join(f"deb [signed-by={keyring}] {image.mirror()} {suite} main\n" for suite in suites))
    return ["-o", f"Dir::State={work}", "-o", f"Dir::State::status={work}/status", "-o", f"Dir::Cache={work}/cache",
            "-o", f"Dir::Etc::sourcelist={work}/sources.list", "-o", "Dir::Etc::sourceparts=-", "-o", "APT::Architecture=amd64",
            "-o", "APT::Architectures=amd64", "-o", "APT::Sandbox::User=root", "-o", "APT::Install-Recommends=false"]


def planned(packages, options):
    """What apt would install for them in the guest, and the packages themselves where the guest has them."""
    done = subprocess.run(["apt-get", *options, "-s", "install", *packages], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"apt cannot install {packages} in a guest: {done.stdout}{done.stderr}")
    return sorted({*re.findall(r"^Inst (\S+)", done.stdout, re.M), *packages})


def field(package, name):
    return subprocess.run(["dpkg-deb", "-f", str(package), name], check=True, capture_output=True, text=True).stdout.strip()


def index(folder):
    """Writes the list that apt reads."""
    entries = []
    for package in sorted(folder.glob("*.deb")):
        control = subprocess.run(["dpkg-deb", "-f", str(package)], check=True, capture_output=True, text=True).stdout.rstrip()
        digest = hashlib.sha256(package.read_bytes()).hexdigest()
        entries.append(f"{control}\nFilename: ./{package.name}\nSize: {package.stat().st_size}\nSHA256: {digest}\n")
    (folder / "Packages").write_text("\n".join(entries))


def later(now, target, number, packages):
    """Makes the next version of the services' own packages and of what is built from the same sources."""
    sources = {source(package) for package in now.glob("*.deb") if field(package, "Package") in packages}
    group = [package for package in now.glob("*.deb") if source(package) in sources]
    versions = {field(package, "Version") for package in group}
    target.mkdir()
    for package in group:
        with tempfile.TemporaryDirectory() as room:
            tree = pathlib.Path(room) / "tree"
            subprocess.run(["dpkg-deb", "-R", str(package), str(tree)], check=True)
            control = (tree / "DEBIAN/control").read_text()
            for version in versions:
                control = control.replace(f"(= {version})", f"(= {version}+stock{number})")
            control = re.sub(r"^Version: (.*)$", rf"Version: \1+stock{number}", control, flags=re.M)
            (tree / "DEBIAN/control").write_text(control)
            subprocess.run(["dpkg-deb", "-Zgzip", "-z1", "--root-owner-group", "-b", str(tree), str(target)],
                           check=True, capture_output=True)
    index(target)


def source(package):
    return field(package, "Source").split(" ")[0] or field(package, "Package")


def siblings(now, status, packages):
    """What the guest has of the sources that the services' own packages are built from: a later version takes all of one source,
    since such packages want each other in exactly one version."""
    here = {field(package, "Package"): source(package) for package in now.glob("*.deb")}
    sources = {here[name] for name in packages if name in here}
    found = set()
    for entry in status.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Source|Status): (\S.*)$", entry, re.M))
        name = fields.get("Package", "")
        if "installed" in fields.get("Status", "").split() and fields.get("Source", name).split(" ")[0] in sources:
            found.add(name)
    return sorted(found - set(here))


def build(target, packages, guest):
    with tempfile.TemporaryDirectory(dir=image.CACHE, prefix="stock.") as room, open(image.CACHE / "stock.build.log", "w") as log:
        work, made = pathlib.Path(room), pathlib.Path(room) / "made"
        options = apt(work, guest)
        tool(["apt-get", *options, "update"], log)
        (made / "now").mkdir(parents=True)
        tool(["apt-get", *options, "download", *planned(packages, options)], log, cwd=made / "now")
        more = siblings(made / "now", (work / "status").read_text(), packages)
        if more:
            tool(["apt-get", *options, "download", *more], log, cwd=made / "now")
        index(made / "now")
        for number, name in enumerate(LATER, 1):
            later(made / "now", made / name, number, packages)
        shutil.move(made, target)


def main(names):
    packages = wanted(names)
    guest = image.image(RELEASE, lambda text: print(f"stock: {text}", file=sys.stderr))
    key = hashlib.sha256("\n".join([*packages, guest.name, (HERE / "fetch.py").read_text()]).encode()).hexdigest()[:16]
    target = image.CACHE / f"stock-{key}"
    with open(image.CACHE / "stock.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            print("stock: fetching the packages", file=sys.stderr)
            for old in image.CACHE.glob("stock-*"):
                shutil.rmtree(old)
            build(target, packages, guest)
    print(target)


if __name__ == "__main__":
    main(sys.argv[1:])
