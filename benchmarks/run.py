"""Measure the library beside what users would pick instead, all in one run: `make bench`.

Each contender lists the same pages from the same server, in a process of its own, in turn and several times over. The
server has one core and the client the other. glibc's malloc is pinned, as the layout of the heap alone decides whether
asyncio's receive buffer costs page faults for every page; the faults are printed, so that one can see that no
contender paid them. Ratios hold better than times: they are taken within each round.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import report

HERE = Path(__file__).parent
PINNED = {
    "MALLOC_TOP_PAD_": str(64 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "PYTHONHASHSEED": "0",
}
PAGES, LATENCY, WINDOW = 1_000, 50, 32

CPU = [
    report.FLOOR,
    "aiohttp + orjson, window 8",
    "aiohttp + orjson, in turn",
    report.OURS,
    "tingting_async, as it comes",
    report.HTTPX,
    "httpx.AsyncClient, in turn",
    "requests.Session",
    report.VENDOR,
]
# The pages that the goals are stated on, with everyone; the others with the floor and ours.
MAIN, OTHERS = "v1-campaigns", ("v1-contacts", "classic-campaigns")

# One page after the other takes as long for the hundredth page as for the first: a few pages tell.
WALL = {
    report.FLOOR: PAGES,
    report.OURS: PAGES,
    "aiohttp + orjson, window 8": PAGES,
    report.HTTPX: 200,
    "requests.Session": 20,
    report.VENDOR: 20,
}


def start(core: int, script: str, *arguments: object) -> "subprocess.Popen[bytes]":
    """Start a script on a core of its own, where there is more than one; with byte code, as installed packages have."""
    environment = {**os.environ, **PINNED}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    process = subprocess.Popen(
        [sys.executable, str(HERE / script), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )
    if hasattr(os, "sched_setaffinity") and len(cores := sorted(os.sched_getaffinity(0))) > 1:
        os.sched_setaffinity(process.pid, {cores[core]})
    return process


def client(script: str, *arguments: object) -> Any:
    """Run a script on the clients' core, and return the JSON that it prints."""
    with start(0, script, *arguments) as process:
        printed, _ = process.communicate()
    if process.returncode:
        sys.exit(f"{script} {' '.join(map(str, arguments))} failed.")
    return json.loads(printed)


@contextmanager
def service() -> Iterator[str]:
    """Start the server on the other core, and yield its address."""
    with start(1, "server.py") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()  # Its sign to end.


def interleaved(what: str, contenders: dict[str, int], url: str, rounds: int, latency: int) -> report.Runs:
    """Run all contenders in turn, round after round."""
    runs: report.Runs = {name: [] for name in contenders}
    for number in range(rounds):
        for name, pages in contenders.items():
            say(f"{what}, {latency} ms, round {number + 1} of {rounds}: {name}")
            runs[name].append(client("contenders.py", what, name, url, pages, latency))
    return runs


def imports(rounds: int) -> dict[str, dict[str, float]]:
    """Return how long imports take in fresh processes, in milliseconds, and beside aiohttp's."""
    modules = ("aiohttp", "tingting_async", "tingting_async.classic", "tingting_async.v1")
    taken: dict[str, list[float]] = {module: [] for module in modules}
    for number in range(rounds + 1):
        say(f"imports, round {number} of {rounds}")
        for module, times in taken.items():
            measured = client("imported.py", module)
            if number:  # The first may have to compile.
                times.append(measured["cpu"] * 1000)
    return {
        module: {
            "ms": statistics.median(times),
            "ratio": statistics.median(ours / aiohttp for ours, aiohttp in zip(times, taken["aiohttp"], strict=True)),
        }
        for module, times in taken.items()
    }


def pytest_start(rounds: int) -> float:
    """Return how long an unrelated pytest run takes with the plugin, beside one without: the median of the ratios."""
    ratios: list[float] = []
    for number in range(rounds + 1):
        say(f"pytest, round {number} of {rounds}")
        without, with_plugin = (client("pytest_start.py", which)["cpu"] for which in ("without", "with"))
        if number:  # The first may have to compile.
            ratios.append(with_plugin / without)
    return statistics.median(ratios)


def say(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)


def measure(*, quick: bool) -> dict[str, Any]:
    """Run everything."""
    rounds, wall_rounds, rows = (3, 1, 100_000) if quick else (9, 5, 1_000_000)
    ideal = LATENCY / 1000 * (1 + -(-(PAGES - 1) // WINDOW))
    found: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "settings": {
            "pages": PAGES,
            "rounds": rounds,
            "wall_rounds": wall_rounds,
            "latency": LATENCY,
            "malloc": PINNED,
        },
        "ideal_wall_a_page": ideal / PAGES,
        "imports": imports(rounds * 3),
        "pytest_start": pytest_start(rounds * 3),
    }
    say("sandbox")
    found["sandbox"] = client("sandbox.py")
    with service() as url:
        found["cpu"] = interleaved(MAIN, dict.fromkeys(CPU, PAGES), url, rounds, 0)
        two = dict.fromkeys((report.FLOOR, report.OURS), PAGES)
        found["cpu_of_others"] = {what: interleaved(what, two, url, rounds, 0) for what in OTHERS}
        found["wall"] = interleaved(MAIN, WALL, url, wall_rounds, LATENCY)
        urllib.request.urlopen(f"{url}/control/pages/{PAGES}").read()
        for scenario in ("leave", "memory"):
            say(scenario)
            found[scenario] = client("scenarios.py", scenario, url, rows)
        say("together")
        together = [client("scenarios.py", "together", url, rows) for _ in range(wall_rounds)]
        found["together"] = {name: statistics.median(run[name] for run in together) for name in together[0]}
        found["together"]["most_in_flight"] = max(run["most_in_flight"] for run in together)
    say("decoding")
    found["decode"] = client("decode.py", rounds * 3)
    found["goals"] = report.goals(found)
    say("")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and rows: a minute, and less exact")
    parser.add_argument("--check", action="store_true", help="fail where a goal is not reached")
    parser.add_argument("--json", type=Path, default=Path("bench-results.json"), help="where the figures are written")
    options = parser.parse_args()
    found = measure(quick=options.quick)
    options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{found['at']}, Python {found['python']}, {found['machine']}\n\n{report.show(found)}\n\nIn {options.json}.")
    if options.check and not all(goal["reached"] for goal in found["goals"]):
        sys.exit(1)


if __name__ == "__main__":
    main()
