#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# On the machine that builds: what needs no daemon works, and where LSM programs do not load everything says so.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build -q -p bartizan-supervisor
built=${CARGO_TARGET_DIR:-target}/debug
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
	echo "native: $1" >&2
	exit 1
}

# ends NUMBER COMMAND…: the exit status is this one.
ends() {
	local wanted=$1 status=0
	shift
	"$@" >"$work/stdout" 2>"$work/stderr" || status=$?
	[ "$status" -eq "$wanted" ] || fail "\`$*\` ended with $status instead of $wanted: $(cat "$work/stdout" "$work/stderr")"
}

ends 0 "$built/bartizan" policy check vmtests/demo/policy.toml
printf '[[rule]]\nname = "a"\nservices = ["web"]\nviolation = "alert"\n' >"$work/bad.toml"
ends 2 "$built/bartizan" policy check "$work/bad.toml"
grep -q "bad.toml:4:1: unknown key" "$work/stderr" || fail "the place of a mistake is not told: $(cat "$work/stderr")"
ends 2 "$built/bartizan" policy check "$work/missing.toml"

status=0
"$built/bartizan" doctor >"$work/doctor" || status=$?
if [ "$status" -eq 0 ]; then
	echo "native: this machine can enforce; that it refuses where it cannot was not tried here"
	exit 0
fi
[ "$status" -eq 3 ] || fail "doctor ended with $status instead of 3: $(cat "$work/doctor")"
ends 3 "$built/bartizan" doctor --json
python3 -c 'import json, sys; found = json.load(open(sys.argv[1])); sys.exit(found["can_enforce"] or not any(one["state"] == "bad" and one["mend"] for one in found["findings"]))' \
	"$work/stdout" || fail "doctor --json does not say what is bad and how to mend it: $(cat "$work/stdout")"
grep -q "mend: " "$work/doctor" || fail "doctor gives no mend: $(cat "$work/doctor")"
ends 3 "$built/bartizan" status --json
python3 -c 'import json, sys; sys.exit(json.load(open(sys.argv[1]))["enforcement"] != "unsupported")' "$work/stdout" ||
	fail "status does not say unsupported: $(cat "$work/stdout")"
ends 3 "$built/bartizand" --config supervisor/dist/bartizan.toml
[ "$(grep -c . "$work/stderr")" -eq 1 ] || fail "bartizand gives more than one paragraph: $(cat "$work/stderr")"
grep -q "cannot enforce" "$work/stderr" || fail "bartizand does not say what is wrong: $(cat "$work/stderr")"
echo "native: this machine cannot enforce; doctor, status and bartizand end with 3 and say why:"
grep -A1 "^BAD" "$work/doctor"
