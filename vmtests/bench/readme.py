# SPDX-License-Identifier: Apache-2.0 OR MIT
"""scripts/bench readme: writes the table of costs in README.md from the rows that `scripts/bench kernel --json` wrote."""

import argparse
import json
import pathlib
import sys

import table

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!-- begin: scripts/bench readme -->", "<!-- end: scripts/bench readme -->"
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


def replaced(text, rows):
    """The text with the table between its marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{README.name} has no lines `{BEGIN}` and `{END}`")
    return f"{before}{BEGIN}\n" + "\n".join(made(rows)) + f"\n{END}{after}"


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
