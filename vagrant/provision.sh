#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Runs as root in a machine: installs Bartizan, and then the end-to-end tests have the word.
#   provision.sh DISTRIBUTION VERSION PACKAGE…
set -euo pipefail
distribution=$1 version=$2
shift 2

# The box must be what the entry says, or a pass would speak for another system.
# shellcheck source=/dev/null
found=$(. /etc/os-release && echo "$ID $VERSION_ID")
if [ "$found" != "$distribution $version" ]; then
	echo "provision: this machine is $found, and kernels.toml says $distribution $version" >&2
	exit 1
fi

if command -v apt-get >/dev/null; then
	apt-get update -q
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
elif command -v dnf >/dev/null; then
	dnf install -y -q "$@"
else
	echo "provision: $distribution has neither apt-get nor dnf; teach vagrant/provision.sh its package manager" >&2
	exit 1
fi

cd /opt/bartizan
scripts/install --from /opt/bartizan/programs
bartizan doctor
echo "provision: Bartizan is installed on $found, kernel $(uname -r); the end-to-end tests:"
python3 -B vmtests/e2e.py
