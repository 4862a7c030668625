"""Compare the library with its alternatives in one run, and every figure with its goal: `make bench`.

Each contender does the same work, in its own process. The contenders run one after another, for several rounds. The
server has one core and the client the other. glibc's malloc is pinned, and the minor page faults are printed, to show
that no contender paid for the layout of its heap. Times are true for one machine at one time; ratios are more stable.
Each ratio is one of medians.
"""

import argparse
import json
import os
import platform
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import goals
import report
from processes import show_progress

ROOT = Path(__file__).parent.parent


def measure(sections: list[str], *, quick: bool) -> dict[str, Any]:
    """Measure some sections; all, if none is named."""
    from measures import SECTIONS  # noqa: PLC0415 - needs the contenders; what was measured can be shown without them

    found: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "quick": quick,
    }
    for section in sections or SECTIONS:
        found[section] = SECTIONS[section](quick=quick)
    show_progress("")
    return found


def show(found: dict[str, Any]) -> str:
    """Return the goals and all tables."""
    parts = [f"{found['at']}, Python {found['python']}, {found['machine']}", goals.show(goals.goals(found))]
    parts += [f"{heading}:\n\n{each}" for heading, each in report.tables(found)]
    return "\n\n".join(parts)


def write(page: Path, text: str, by: str = "make bench") -> None:
    """Replace what is between the two marker comments of a page, which name the command that measures."""
    before = page.read_text(encoding="utf-8")
    start, end = f"<!-- measured by {by} -->", f"<!-- end of what {by} measured -->"
    after, count = re.subn(f"{start}.*{end}", lambda _: f"{start}\n\n{text}\n\n{end}", before, flags=re.DOTALL)
    if count != 1:
        sys.exit(f"{page} must have the comments {start} and {end}, once.")
    page.write_text(after, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    only = f"measure this section only; one of {', '.join(goals.SECTIONS)}"
    parser.add_argument("--quick", action="store_true", help="fewer rounds and rows: takes two minutes, less exact")
    parser.add_argument("--only", action="append", default=[], metavar="SECTION", choices=goals.SECTIONS, help=only)
    parser.add_argument("--check", action="store_true", help="fail if a goal is missed, and say which")
    parser.add_argument("--write", action="store_true", help="write the tables to docs/performance.md and README.md")
    parser.add_argument("--json", type=Path, default=Path("bench-results.json"), help="the file for the figures")
    parser.add_argument("--read", type=Path, help="measure nothing, and take the figures from this file")
    options = parser.parse_args()
    if options.write and (options.quick or options.only):
        parser.error("--write needs a whole run: without --quick and --only.")
    if options.read is None:
        found = measure(options.only, quick=options.quick)
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    else:
        found = json.loads(options.read.read_text(encoding="utf-8"))
    print(show(found))
    if options.write:
        if found.get("quick", True):
            sys.exit(f"Nothing was written: {options.read} has the figures of a quick run.")
        if missing := goals.SECTIONS.keys() - found.keys():
            sys.exit(f"Nothing was written: {options.read} has no figures for {', '.join(sorted(missing))}.")
        write(ROOT / "docs" / "performance.md", show(found))
        write(ROOT / "README.md", report.summary(found))
    missed = [goal for goal in goals.goals(found) if not goal.is_reached]
    for goal in missed:
        print(f"MISSED: {goal.figure}: {goal.value:.2f}, not {goal.sign} {goal.goal:g}", file=sys.stderr)
    if options.check and missed:
        sys.exit(1)


if __name__ == "__main__":
    main()
