#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Vagrant accepts vagrant/Vagrantfile, and its machines are the releases of kernels.toml. No machine is started: that needs
# real virtualisation.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
	echo "vagrant: $1" >&2
	exit 1
}

if ! command -v vagrant >/dev/null; then
	root=()
	[ "$(id -u)" -eq 0 ] || root=(sudo)
	"${root[@]}" apt-get update -q >&2 || true
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends vagrant >&2
fi

# A copy, so that vagrant leaves its own folder elsewhere and an entry can be added.
mkdir -p "$work"/{vmtests,scripts,supervisor/dist}
cp -r vagrant "$work/"
rm -rf "$work/vagrant/.vagrant"
cp vmtests/kernels.toml "$work/vmtests/"
export VAGRANT_HOME=$work/home VAGRANT_CWD=$work/vagrant VAGRANT_CHECKPOINT_DISABLE=1 VAGRANT_NO_COLOR=1

validate() {
	vagrant validate --ignore-provider >"$work/said" 2>&1
}

# vagrant names each machine whose provider it leaves aside.
machines() {
	sed -n 's/^==> \([^:]*\): Ignoring provider config.*/\1/p' "$work/said" | sort
}

releases() {
	python3 -c 'import sys, tomllib; print(*sorted(tomllib.load(open(sys.argv[1], "rb"))["release"]), sep="\n")' \
		"$work/vmtests/kernels.toml"
}

same() {
	[ "$(machines)" = "$(releases)" ] || fail "the machines are not the releases of kernels.toml: $(machines | xargs)"
}

validate || fail "the Vagrantfile is refused: $(cat "$work/said")"
same
cat "$work/said"

printf '\n[release.other]\ndistribution = "other" # its ID\nversion = "1"\nbox = "some/other"\npackages = [\n  "python3", # and\n  "curl",\n]\n' \
	>>"$work/vmtests/kernels.toml"
validate || fail "one more release is refused: $(cat "$work/said")"
same
machines | grep -qx other || fail "one more release made no machine"

cp "$work/vmtests/kernels.toml" "$work/whole.toml"
sed -i '/^box = "some/d' "$work/vmtests/kernels.toml"
! validate || fail "a release without a box is taken"
grep -q '\[release.other\] has no box' "$work/said" || fail "a release without a box is not named: $(cat "$work/said")"
sed 's/^version = "1"$/version = 1/' "$work/whole.toml" >"$work/vmtests/kernels.toml"
! validate || fail "a value that is no string is taken"
grep -q 'kernels.toml:[0-9]*: expected a string or a list of strings: 1' "$work/said" || fail "$(cat "$work/said")"
echo "vagrant: $(vagrant --version) accepts the Vagrantfile; its machines are the releases of kernels.toml"
