#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# On the machine that builds: the API keeps to its own OpenAPI document, whatever it is asked. schemathesis makes the requests; behind
# the API are all actors, with a kernel that only remembers. Takes a network for pip the first time.
#   vmtests/contract-test.sh [EXAMPLES]   requests for each operation (25)
set -euo pipefail
cd "$(dirname "$0")/.."
version=4.32.5
tools=${XDG_CACHE_HOME:-$HOME/.cache}/bartizan/schemathesis-$version
if [ ! -x "$tools/bin/schemathesis" ]; then
	rm -rf "$tools"
	python3 -m venv "$tools"
	"$tools/bin/pip" -q install "schemathesis==$version"
fi
work=$(mktemp -d)
started=()
finish() {
	local pid
	for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
	rm -rf "$work"
}
trap finish EXIT

program=$(cargo test -q -p bartizan-supervisor --test people --no-run --message-format=json |
	python3 -c 'import json, sys; print(*(one["executable"] for one in map(json.loads, sys.stdin) if one.get("target", {}).get("name") == "people"))')
# Its own folders are below this one, and go with it.
TMPDIR=$work "$program" --ignored --exact served::serve --nocapture >"$work/served" 2>&1 &
started+=($!)
for _ in $(seq 100); do
	socket=$(sed -n 's/^socket //p' "$work/served")
	[ -z "$socket" ] || break
	sleep 0.1
done
[ -n "$socket" ] || { cat "$work/served" >&2 && exit 1; }

# schemathesis speaks TCP only.
cat >"$work/forward.py" <<'END'
import asyncio, sys

async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()

async def forward(reader, writer):
    inner = await asyncio.open_unix_connection(sys.argv[1])
    await asyncio.gather(pump(reader, inner[1]), pump(inner[0], writer))

async def main():
    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
END
python3 "$work/forward.py" "$socket" >"$work/port" &
started+=($!)
for _ in $(seq 100); do
	[ ! -s "$work/port" ] || break
	sleep 0.1
done

# Off and on would switch on this machine; the stream has no end. What fits the schema and is refused all the same (files that are
# no policy, a revision that there is not) is as it should be.
"$tools/bin/schemathesis" run "http://127.0.0.1:$(cat "$work/port")/openapi.json" --max-examples "${1:-25}" --no-color \
	--exclude-path /v1/off --exclude-path /v1/on --exclude-path /v1/audits/stream \
	--exclude-checks positive_data_acceptance --request-timeout 20 >"$work/said" 2>&1 || {
	cat "$work/said" >&2
	exit 1
}
echo "contract: $(sed -n 's/^  \([0-9]* generated.*\)/\1/p' "$work/said" | head -n 1)"
