# SPDX-License-Identifier: Apache-2.0 OR MIT
"""scripts/bench readme: writes a table of costs in README.md from what `scripts/bench kernel --json` or `user --json` wrote."""

import argparse
import json
import pathlib
import sys

import table

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!-- begin: scripts/bench readme -->", "<!-- end: scripts/bench readme -->"
USER_BEGIN, USER_END = "<!-- begin: scripts/bench readme, user -->", "<!-- end: scripts/bench readme, user -->"
# Configurations beside `nothing loaded` with the heads of their columns.
COLUMNS = {"empty programs": "empty", "bartizan ungoverned": "ungoverned", table.WARM: "governed", table.COLD: "first touch",
           "bartizan learning": "learning", "apparmor confined": "AppArmor", "auditd": "auditd", "fapolicyd": "fapolicyd",
           "fanotify": "fanotify"}


def made(rows):
    """The table in Markdown: an operation in each line."""
    cells = {(row["configuration"], row["operation"]): row for row in rows}
    shown = [name for name in COLUMNS if any(row["configuration"] == name for row in rows)]
    yield "| act | nothing loaded | " + " | ".join(COLUMNS[name] for name in shown) + " |"
    yield "|---|" + "---:|" * (len(shown) + 1)
    for operation in table.OPERATIONS:
        if (table.NOTHING, operation) in cells:
            columns = [f"{cells[name, operation]['added']:+,}" if (name, operation) in cells else "" for name in shown]
            yield f"| {operation} | {cells[table.NOTHING, operation]['instructions']:,} | " + " | ".join(columns) + " |"
    if (table.FIRST, "open+close") in cells:
        again, first = (cells[name, "open+close"]["added"] for name in (table.DENIED, table.FIRST))
        yield f"\nRefusing to open a file costs {first:+,} the first time, with the record, and {again:+,} each time after that."


def of_user_space(found):
    """What scripts/bench user measured, in Markdown."""
    yield f"{found['on']}:\n"
    yield "| where records go | user, µs | system, µs | resident, MiB |"
    yield "|---|---:|---:|---:|"
    for name, where in (("default", "trail, store and journal (nothing is configured)"), ("all sinks", "also syslog, OCSF and OTLP")):
        one = found[name]
        yield f"| {where} | {one['user_us']:.1f} | {one['system_us']:.1f} | {one['resident_kb'] / 1024:.0f} |"
    store = found["store"]
    slowest = [max(one[key] for one in store["questions"]) for key in ("cold_ms", "warm_ms")]
    yield (f"\nA store of {store['records']:,} records takes {store['bytes'] / 1e6:,.0f} MB, and the slowest of {len(store['questions'])} questions "
           f"{slowest[0]:.0f} ms from the disk and {slowest[1]:.1f} ms from memory.")


def replaced(text, found):
    """The text with the table between its marks."""
    user = isinstance(found, dict)
    first, last = (USER_BEGIN, USER_END) if user else (BEGIN, END)
    before, begin, rest = text.partition(first)
    _, end, after = rest.partition(last)
    if not (begin and end):
        raise ValueError(f"{README.name} has no lines `{first}` and `{last}`")
    return f"{before}{first}\n" + "\n".join(of_user_space(found) if user else made(found)) + f"\n{last}{after}"


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench readme", description=__doc__.split(": ", 1)[1])
    parser.add_argument("rows", type=pathlib.Path, metavar="FILE", help="what --json wrote")
    rows = json.loads(parser.parse_args().rows.read_text())
    README.write_text(replaced(README.read_text(), rows))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, KeyError) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        sys.exit(1)
