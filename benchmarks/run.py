"""Compare the library with its alternatives in one run: `make bench`.

Each contender lists the same pages from the same server, in its own process. The contenders run one after another, for
several rounds. The server has one core and the client the other. glibc's malloc is pinned, because the heap's layout
alone decides whether asyncio's receive buffer costs page faults on every page. The page faults are printed to show
that no contender paid for them. Ratios are more stable than times: they are taken within each round.
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
from tempfile import TemporaryDirectory
from typing import Any

import report
import trustme

HERE = Path(__file__).parent
PINNED = {
    "MALLOC_TOP_PAD_": str(64 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "PYTHONHASHSEED": "0",
}
PAGES, LATENCY, WINDOW = 1_000, 50, 32
ROUND_TRIP = 40
"""The round-trip time of the link to the service that sends one-time passwords, in milliseconds."""

CPU = [
    report.FLOOR,
    "aiohttp + orjson, window 8",
    "aiohttp + orjson, one page after another",
    report.OURS,
    "tingting_async, default window",
    report.HTTPX,
    "httpx.AsyncClient, one page after another",
    "requests.Session",
    report.VENDOR,
]
# The goals refer to the pages of MAIN, which every contender lists. Only the floor and tingting_async list the others.
MAIN, OTHERS = "v1-campaigns", ("v1-contacts", "classic-campaigns")

# Without prefetching, every page takes as long as the first one, so a few pages suffice.
WALL = {
    report.FLOOR: PAGES,
    report.OURS: PAGES,
    "aiohttp + orjson, window 8": PAGES,
    report.HTTPX: 200,
    "requests.Session": 20,
    report.VENDOR: 20,
}


def start(core: int, script: str, *arguments: object) -> "subprocess.Popen[bytes]":
    """Start a script, with byte code as installed packages have; on its own core if there are several."""
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
def service(script: str = "server.py", *arguments: object, scheme: str = "http") -> Iterator[str]:
    """Start the server on the other core, and yield its address."""
    with start(1, script, *arguments) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"{scheme}://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()  # The server ends at end of file.


def interleaved(what: str, contenders: dict[str, int], url: str, rounds: int, latency: int) -> report.Runs:
    """Run all contenders one after another, round after round."""
    runs: report.Runs = {name: [] for name in contenders}
    for number in range(rounds):
        for name, pages in contenders.items():
            show_progress(f"{what}, {latency} ms, round {number + 1} of {rounds}: {name}")
            runs[name].append(client("contenders.py", what, name, url, pages, latency))
    return runs


def imports(rounds: int) -> dict[str, dict[str, float]]:
    """Return the CPU time of imports in fresh processes: in milliseconds, and as a ratio to aiohttp's."""
    modules = ("aiohttp", "tingting_async", "tingting_async.classic", "tingting_async.v1")
    cpu_times: dict[str, list[float]] = {module: [] for module in modules}
    for number in range(rounds + 1):
        show_progress(f"imports, round {number} of {rounds}")
        for module, times in cpu_times.items():
            measured = client("imported.py", module)
            if number:  # The first round may compile byte code.
                times.append(measured["cpu"] * 1000)
    return {
        module: {
            "ms": statistics.median(times),
            "ratio": statistics.median(own / aiohttp for own, aiohttp in zip(times, cpu_times["aiohttp"], strict=True)),
        }
        for module, times in cpu_times.items()
    }


def sends(rounds: int, count: int) -> dict[str, report.Sends]:
    """Send one-time passwords one at a time and sixteen at a time, over TLS; all contenders, round after round."""
    found: dict[str, report.Sends] = {}
    authority = trustme.CA()
    with TemporaryDirectory() as folder:
        own, trusted = Path(folder, "own.pem"), Path(folder, "authority.pem")
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(own))
        authority.cert_pem.write_to_path(str(trusted))
        with service("link.py", own, ROUND_TRIP, scheme="https") as url:
            for number in range(rounds):
                for tasks in (1, 16):
                    for name in report.SENDERS:
                        show_progress(f"sends, {tasks} at a time, round {number + 1} of {rounds}: {name}")
                        run = client("sends.py", name, url, trusted, count * (1 if tasks == 1 else 4), tasks)
                        found.setdefault(f"{tasks} at a time", {}).setdefault(name, []).append(run)
    return found


def pytest_start(rounds: int) -> float:
    """Return the CPU time of an unrelated pytest run with the plugin, as a ratio to one without: the median."""
    ratios: list[float] = []
    for number in range(rounds + 1):
        show_progress(f"pytest, round {number} of {rounds}")
        without, with_plugin = (client("pytest_start.py", which)["cpu"] for which in ("without", "with"))
        if number:  # The first round may compile byte code.
            ratios.append(with_plugin / without)
    return statistics.median(ratios)


def show_progress(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)


def measure(*, quick: bool) -> dict[str, Any]:
    """Run all measurements."""
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
            "round_trip": ROUND_TRIP,
            "malloc": PINNED,
        },
        "ideal_wall_per_page": ideal / PAGES,
        "imports": imports(rounds * 3),
        "pytest_start": pytest_start(rounds * 3),
    }
    show_progress("sandbox")
    found["sandbox"] = client("sandbox.py")
    found["sends"] = sends(wall_rounds, 50 if quick else 200)
    with service() as url:
        found["cpu"] = interleaved(MAIN, dict.fromkeys(CPU, PAGES), url, rounds, 0)
        two = dict.fromkeys((report.FLOOR, report.OURS), PAGES)
        found["cpu_of_others"] = {what: interleaved(what, two, url, rounds, 0) for what in OTHERS}
        found["wall"] = interleaved(MAIN, WALL, url, wall_rounds, LATENCY)
        urllib.request.urlopen(f"{url}/control/pages/{PAGES}").read()
        for scenario in ("leave", "memory"):
            show_progress(scenario)
            found[scenario] = client("scenarios.py", scenario, url, rows)
        show_progress("together")
        together = [client("scenarios.py", "together", url, rows) for _ in range(wall_rounds)]
        found["together"] = {name: statistics.median(run[name] for run in together) for name in together[0]}
        found["together"]["peak_in_flight"] = max(run["peak_in_flight"] for run in together)
    show_progress("decoding")
    found["decode"] = client("decode.py", rounds * 3)
    found["goals"] = report.goals(found)
    show_progress("")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and rows: takes a minute or two, less exact")
    parser.add_argument("--check", action="store_true", help="fail if a goal is missed")
    parser.add_argument("--json", type=Path, default=Path("bench-results.json"), help="the file for the figures")
    options = parser.parse_args()
    found = measure(quick=options.quick)
    options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{found['at']}, Python {found['python']}, {found['machine']}\n\n{report.show(found)}\n\nIn {options.json}.")
    if options.check and not all(goal["reached"] for goal in found["goals"]):
        sys.exit(1)


if __name__ == "__main__":
    main()
