#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Builds a bartizand whose programs and maps are not those of this checkout but mean the same (bpf/kern/guard.h): what an upgrade
# and a downgrade meet. vmtests/other-build.sh DIR puts it at DIR/bartizand.
set -euo pipefail
into=$(realpath -m "${1:?other-build.sh needs a folder}")
cd "$(dirname "$0")/.."
built=${CARGO_TARGET_DIR:-target}/debug
mkdir -p "$into" "$built"
# Runners of guests build in the same place: what is copied is what was built here.
exec 9>"$built/.runner.lock"
flock 9
BARTIZAN_OTHER_BUILD=yes cargo build -q -p bartizan-supervisor
cp "$built/bartizand" "$into/bartizand"
