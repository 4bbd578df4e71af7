#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Builds the programs that every machine gets. Runs on the host: the machines' own Rust is too old.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
cargo build -q -p bartizan-supervisor
scripts/stage "$here/.vagrant/programs"
