"""The sections of the benchmark: each runs its contenders one after another, round after round.

A slow contender without a narrow goal takes part in the first rounds only. Its ratios are those of medians, as all are.
"""

import statistics
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

import report
from processes import client, distant_service, service, show_progress
from report import LATENCY, PAGES, ROUND_TRIP

LISTS = ("v1-campaigns", "classic-campaigns", "v1-contacts")
# Every contender lists the pages of the first list. Only the floor and tingting_async list the others.
OTHERS = (
    "aiohttp + orjson, window 8",
    "aiohttp + orjson, one page after another",
    "tingting_async, default window",
    report.HTTPX,
    "httpx.AsyncClient, one page after another",
    "requests.Session",
    report.VENDOR,
)
# Without prefetching, every page takes as long as the first one, so a few pages suffice.
WALL = {
    report.FLOOR: PAGES,
    report.OURS: PAGES,
    "aiohttp + orjson, window 8": PAGES,
    report.HTTPX: 200,
    "requests.Session": 20,
    report.VENDOR: 20,
}
WALL_TLS = {report.FLOOR: PAGES, report.OURS: PAGES, report.VENDOR: 20}


def pages(*, quick: bool) -> dict[str, report.Runs]:
    """List pages without latency: the CPU time of each."""
    rounds, rounds_of_others = (3, 1) if quick else (15, 7)
    found: dict[str, report.Runs] = {}
    with service() as port:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/control/awake").close()
        for what in LISTS:
            runs = found[what] = {}
            for number in range(rounds):
                names = [report.FLOOR, report.OURS]
                names += OTHERS if what == LISTS[0] and number < rounds_of_others else ()
                for name in names:
                    show_progress(f"{what}, round {number + 1} of {rounds}: {name}")
                    run = client("contenders.py", what, name, f"http://127.0.0.1:{port}", PAGES, 0)
                    runs.setdefault(name, []).append(run)
    return found


def wall(*, quick: bool) -> dict[str, report.Runs]:
    """List pages with latency: the wall time of each; without TLS, and over TLS on a link."""
    found: dict[str, report.Runs] = {"plain": {}, "tls": {}}

    def run_all(how: str, url: str, latency: int, environment: Mapping[str, str]) -> None:
        contenders = WALL if how == "plain" else WALL_TLS
        for number in range(rounds := 1 if quick else 5):
            for name, count in contenders.items():
                show_progress(f"wall time, {how}, round {number + 1} of {rounds}: {name}")
                run = client("contenders.py", LISTS[0], name, url, count, latency, environment=environment)
                found[how].setdefault(name, []).append(run)

    with service() as port:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/control/awake").close()
        run_all("plain", f"http://127.0.0.1:{port}", LATENCY, {})
    with distant_service(LATENCY) as (url, trusted):
        run_all("tls", url, 0, {"SSL_CERT_FILE": trusted, "REQUESTS_CA_BUNDLE": trusted})
    return found


def lists(*, quick: bool) -> dict[str, Any]:
    """List in other ways: leave early, list a million rows, list fifty lists at once."""
    found: dict[str, Any] = {}
    with service() as port:
        url, rows = f"http://127.0.0.1:{port}", 100_000 if quick else 1_000_000
        urllib.request.urlopen(f"{url}/control/pages/{PAGES}").read()
        for scenario in ("leave", "memory"):
            show_progress(scenario)
            found[scenario] = client("scenarios.py", scenario, url, rows)
        show_progress("together")
        together = [client("scenarios.py", "together", url, rows) for _ in range(1 if quick else 5)]
    found["together"] = {name: statistics.median(run[name] for run in together) for name in together[0]}
    found["together"]["peak_in_flight"] = max(run["peak_in_flight"] for run in together)
    return found


def sends(*, quick: bool) -> dict[str, report.Runs]:
    """Send one-time passwords one at a time and sixteen at a time, over TLS on a link."""
    rounds = 2 if quick else 7
    found: dict[str, report.Runs] = {}
    with distant_service(ROUND_TRIP) as (url, trusted):
        for number in range(rounds):
            for tasks, count, fewer in ((1, 50, 20), (16, 320, 160)) if quick else ((1, 150, 40), (16, 800, 320)):
                for name in report.SENDERS:
                    show_progress(f"sends, {tasks} at a time, round {number + 1} of {rounds}: {name}")
                    many = count if name in report.SENDERS[:2] else fewer
                    run = client("sends.py", name, url, trusted, many, tasks)
                    found.setdefault(f"{tasks} at a time", {}).setdefault(name, []).append(run)
    return found


def ledgers(*, quick: bool) -> dict[str, Any]:
    """Send with a ledger and without, and claim in several processes at once."""
    from ledger import BACKENDS, measure  # noqa: PLC0415 - it imports what only its own section needs

    return {backend: measure(backend, quick=quick) for backend in BACKENDS}


def adds(*, quick: bool) -> dict[str, dict[str, float]]:
    """Add many contacts, eight requests at a time, over TLS on a link."""
    from adds import measure  # noqa: PLC0415

    return measure(1 if quick else 5)


def imports(*, quick: bool) -> dict[str, float]:
    """Import modules in fresh processes: the CPU time in milliseconds."""
    cpu_times: dict[str, list[float]] = {}
    for number in range(rounds := 10 if quick else 28):
        show_progress(f"imports, round {number + 1} of {rounds}")
        for module in ("aiohttp", "tingting_async", "tingting_async.classic", "tingting_async.v1"):
            cpu = client("imported.py", module)["cpu"]
            if number:  # The first round may compile byte code.
                cpu_times.setdefault(module, []).append(cpu * 1000)
    return {module: statistics.median(times) for module, times in cpu_times.items()}


def pytest_start(*, quick: bool) -> dict[str, float]:
    """Start an unrelated pytest run with the plugin and without it: the CPU time in milliseconds."""
    cpu_times: dict[str, list[float]] = {}
    for number in range(rounds := 7 if quick else 28):
        show_progress(f"pytest, round {number + 1} of {rounds}")
        for which in ("without", "with"):
            cpu = client("pytest_start.py", which)["cpu"]
            if number:  # The first round may compile byte code.
                cpu_times.setdefault(which, []).append(cpu * 1000)
    return {which: statistics.median(times) for which, times in cpu_times.items()}


def sandbox(*, quick: bool) -> dict[str, Any]:  # noqa: ARG001 - it takes seconds
    """Request pages of large and small lists of the sandbox, and let campaigns run in it."""
    show_progress("sandbox")
    return client("sandbox.py")


def decode(*, quick: bool) -> dict[str, Any]:
    """Decode pages, without a connection."""
    show_progress("decoding")
    return client("decode.py", 9 if quick else 27)


SECTIONS: dict[str, Callable[..., Any]] = {
    "pages": pages,
    "decode": decode,
    "wall": wall,
    "lists": lists,
    "sends": sends,
    "ledger": ledgers,
    "adds": adds,
    "imports": imports,
    "pytest": pytest_start,
    "sandbox": sandbox,
}
"""By the name that `--only` takes."""
