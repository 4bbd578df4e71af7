#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# What scripts/vm promises: streams, exit status, arguments, a login session, copies, time-outs.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
	echo "runner: $1" >&2
	exit 1
}

printf 'content\n' >"$work/in"
chmod 751 "$work/in"
status=0
# shellcheck disable=SC2016 # the guest's shell expands these
scripts/vm --bare --put "$work/in:/root/in" --get "/root/out:$work/out" -- \
	sh -c 'cat /proc/self/cgroup; printf "%s|" "$@"; echo; stat -c %a /root/in; cp -p /root/in /root/out; echo oops >&2; exit 7' \
	x "a  b" "it's" '*' '' '$HOME' >"$work/stdout" 2>"$work/stderr" || status=$?
[ "$status" -eq 7 ] || fail "exit status $status instead of 7: $(cat "$work/stderr")"
grep -q 'session-[0-9]*\.scope' "$work/stdout" || fail "not in a login session: $(cat "$work/stdout")"
# shellcheck disable=SC2016 # the literal must arrive unexpanded
grep -qxF "a  b|it's|*||\$HOME|" "$work/stdout" || fail "arguments were changed: $(cat "$work/stdout")"
grep -qx 751 "$work/stdout" || fail "--put lost the mode: $(cat "$work/stdout")"
grep -qx oops "$work/stderr" || fail "stderr was lost"
[ "$(stat -c %a "$work/out")" = 751 ] || fail "--get lost the mode"
cmp -s "$work/in" "$work/out" || fail "--get lost content"

status=0
scripts/vm --bare --timeout 3 -- true >/dev/null 2>"$work/stderr" || status=$?
[ "$status" -eq 124 ] || fail "a time-out gave $status instead of 124"
status=0
scripts/vm --bare --put /does/not/exist:/x -- true >/dev/null 2>"$work/stderr" || status=$?
[ "$status" -eq 125 ] || fail "a failure of the runner gave $status instead of 125"
echo "runner: streams, status, arguments, session, copies and time-out are as promised"
