#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Whether the verifier of one kernel takes every program of bpf/kern that fits its prototypes.
set -euo pipefail
cd "$(dirname "$0")/.."
kernel=$1
cargo build -q -p bartizan-bpf --example load
scripts/vm --bare --kernel "$kernel" --put target/debug/examples/load:/root/load -- /root/load
