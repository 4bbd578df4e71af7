#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# What scripts/vm promises: streams, exit status, arguments, a login session, copies, time-outs; a guest that is kept, with
# a forwarded port, of another release; a guest that counts instructions.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
kept=""
trap '[ -z "$kept" ] || kill "$kept" || true; rm -rf "$work"' EXIT

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

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
# shellcheck disable=SC2016 # the guest's shell expands it
scripts/vm --bare --release trixie --keep --forward "$port:80" -- sh -c '. /etc/os-release; echo "$ID $VERSION_ID"' \
	>"$work/stdout" 2>"$work/stderr" || fail "a guest of trixie that is kept: $(cat "$work/stderr")"
[ "$(cat "$work/stdout")" = "debian 13" ] || fail "--release trixie booted $(cat "$work/stdout")"
kept=$(sed -n 's/^  kill \([0-9]*\);.*/\1/p' "$work/stderr")
left=$(sed -n 's/^  kill .*; rm -r \(.*\)/\1/p' "$work/stderr")
[ -n "$kept" ] || fail "--keep does not say how to end the guest: $(cat "$work/stderr")"
python3 -c 'import sys, urllib.request; sys.exit("nginx" not in urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())' \
	"http://127.0.0.1:$port/" || fail "--forward does not reach the guest's port"
read -ra entrance < <(sed -n 's/^  \(ssh .*\)/\1/p' "$work/stderr")
[ "$("${entrance[@]}" cat /proc/sys/kernel/hostname)" = bartizan-guest ] || fail "the way in that --keep prints does not work"
kill "$kept"
kept=""
rm -r "$left"

status=0
# shellcheck disable=SC2016 # the guest's shell expands these
scripts/vm --icount --bare --put "$work/in:/root/in" --get "/root/out:$work/counted" -- \
	sh -c 'printf "%s|" "$@"; stat -c %a /root/in; cp -p /root/in /root/out; nproc; cat /proc/1/comm; echo oops >&2; exit 7' \
	x "a  b" "it's" '*' '' '$HOME' >"$work/stdout" 2>"$work/stderr" || status=$?
[ "$status" -eq 7 ] || fail "under --icount, exit status $status instead of 7: $(cat "$work/stderr")"
# shellcheck disable=SC2016 # the literal must arrive unexpanded
[ "$(cat "$work/stdout")" = "$(printf '%s\n' 'a  b|it'"'"'s|*||$HOME|751' 1 sh)" ] || fail "under --icount: $(cat "$work/stdout")"
[ "$(cat "$work/stderr")" = oops ] || fail "under --icount, stderr was $(cat "$work/stderr")"
[ "$(stat -c %a "$work/counted")" = 751 ] || fail "under --icount, --get lost the mode"
cmp -s "$work/in" "$work/counted" || fail "under --icount, --get lost content"
status=0
scripts/vm --icount --bare --timeout 3 -- true >/dev/null 2>"$work/stderr" || status=$?
[ "$status" -eq 124 ] || fail "under --icount, a time-out gave $status instead of 124"
status=0
scripts/vm --icount --bare --keep -- true >/dev/null 2>"$work/stderr" || status=$?
[ "$status" -eq 125 ] || fail "--icount --keep gave $status instead of 125"
echo "runner: streams, status, arguments, session, copies and time-out are as promised, under --icount as well;" \
	"--keep, --forward and --release hold"
