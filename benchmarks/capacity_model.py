"""What a day needs, computed from measured constants, and the tables that `capacity.py` prints."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import report

DAYS = (10_000, 100_000, 1_000_000, 10_000_000)
PEAK = 0.1 / 3600  # The share of a day's work that is done in a second of the busiest hour.
KEPT_DAYS = 30
LOAD = 0.5  # Of a core, for each process.
CAMPAIGN, CHUNK = 5_000, 100
POLLS = 120  # A campaign is followed for an hour, with a poll every 30 seconds.
TOLERANCE = 1.5


class Constants(NamedTuple):
    """What was measured with one kind of ledger; times in seconds."""

    row_bytes: float  # With the indexes.
    pruned: float  # Rows a second.
    claims: float  # With their settlement, a second, 64 at a time.
    transaction: float  # The time of one piece of work alone.
    send: float  # The time of a send alone, with the ledger and a key.
    bare_cpu: float  # The CPU time of a send without a ledger.
    send_cpu: float  # The same with the ledger and a key.
    request_cpu: float  # Of reading a campaign.
    contact_cpu: float
    report_row_cpu: float
    report_row_bytes: float


class Job(NamedTuple):
    """What one job needs: requests, rows of the ledger, pieces of its work, CPU seconds, bytes of its report."""

    recipients: int
    requests: int
    rows: int
    work: int
    cpu: float
    report: float


class Needs(NamedTuple):
    """What a day needs. Whatever is per second is that of the busiest hour."""

    requests: float
    commits: float
    round_trips: float
    processes: int
    connections: int
    ledger_load: float  # The share of what one process claimed.
    rows: int
    bytes_kept: float
    prune: float
    report_bytes: float


def campaign(measured: Constants) -> Job:
    """Create a campaign (two look-ups and itself), add its contacts, run it, follow it, and read its report."""
    adds = CAMPAIGN // CHUNK
    reads = 2 + POLLS + 1
    cpu = 2 * measured.send_cpu + reads * measured.request_cpu
    cpu += CAMPAIGN * (measured.contact_cpu + measured.report_row_cpu)
    # Creating and running are claimed and recorded, and so are the two claims of adding; each addition renews one.
    return Job(CAMPAIGN, adds + reads + 2, 4, 8 + adds, cpu, CAMPAIGN * measured.report_row_bytes)


def one_time_password(measured: Constants) -> Job:
    """Send a one-time password."""
    return Job(1, 1, 1, 2, measured.send_cpu, 0)


JOBS = {"Campaigns of 5,000 recipients": campaign, "One-time passwords": one_time_password}


def needs(job: Job, recipients: int, measured: Constants) -> Needs:
    """Return what a day with so many recipients needs."""
    jobs = math.ceil(recipients / job.recipients)
    rate = jobs * PEAK
    processes = max(1, math.ceil(rate * job.cpu / LOAD))
    return Needs(
        requests=rate * job.requests,
        commits=processes * commits(rate * job.work / processes, measured.transaction),
        round_trips=rate * job.requests,
        processes=processes,
        connections=processes + 1,  # A token store opens one for a moment.
        ledger_load=rate * job.work / 2 / measured.claims,
        rows=jobs * job.rows,
        bytes_kept=jobs * job.rows * KEPT_DAYS * measured.row_bytes,
        prune=jobs * job.rows / measured.pruned,
        report_bytes=jobs * job.report,
    )


def commits(work: float, transaction: float) -> float:
    """Return how many transactions a second one process commits: what waits during one shares the next.

    If work arrives at random, a transaction is followed at once by another one, except if nothing arrived during it.
    """
    return 1 / (transaction + math.exp(-work * transaction) / work)


# The tables


def keeps_up(run: dict[str, float]) -> bool:
    """Return whether everything was sent, and almost all of it without a queue."""
    return not run["errors"] and run["in_time"] > 0.9 and run["p99"] < 1


def agrees(run: dict[str, float]) -> bool:
    """Return whether what was measured is near what the model says."""
    ratios = [run[name] / run[f"{name}_predicted"] for name in ("cpu", "commits", "median")]
    return all(1 / TOLERANCE <= ratio <= TOLERANCE for ratio in ratios)


def number(value: float) -> str:
    """Return a number in a short form."""
    if math.isnan(value):
        return "?"
    if 0 < value < 0.01:
        return "< 0.01"
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.2g}"


def size(count: float) -> str:
    """Return a number of bytes in a short form."""
    unit = min(3, int(math.log10(max(count, 1)) / 3))
    return f"{count / 1000**unit:.3g} {('bytes', 'kB', 'MB', 'GB')[unit]}"


def _constants(found: dict[str, Constants]) -> str:
    def row(name: str, show: Callable[[Constants], str]) -> list[str]:
        return [name, *map(show, found.values())]

    def us(name: str, field: str) -> list[str]:
        return row(name, lambda each: f"{getattr(each, field) * 1e6:,.0f} µs")

    rows = [
        row("a row of the ledger, with its indexes", lambda each: size(each.row_bytes)),
        row("rows pruned a second", lambda each: number(each.pruned)),
        row("claims with settlement a second, 64 at a time", lambda each: number(each.claims)),
        us("a claim or a settlement alone", "transaction"),
        us("a send alone, with the ledger and a key", "send"),
        us("CPU of a send without a ledger", "bare_cpu"),
        us("CPU of a send with the ledger and a key", "send_cpu"),
        us("CPU of reading a campaign", "request_cpu"),
        us("CPU of adding a contact", "contact_cpu"),
        us("CPU of reading a row of a report", "report_row_cpu"),
        row("a row of a report", lambda each: size(each.report_row_bytes)),
    ]
    return report.table(["measured", *map(report.BACKENDS.__getitem__, found)], rows)


def _model(job: Job, measured: Constants) -> str:
    days = [needs(job, day, measured) for day in DAYS]
    rows = [
        ["requests a second", *(number(day.requests) for day in days)],
        ["commits a second", *(number(day.commits) for day in days)],
        ["round trips to Redis a second, at most", *(number(day.round_trips) for day in days)],
        ["processes at half a core", *(number(day.processes) for day in days)],
        ["connections to PostgreSQL", *(number(day.connections) for day in days)],
        ["of what one process could commit, %", *(number(100 * day.ledger_load) for day in days)],
        ["rows of the ledger a day", *(number(day.rows) for day in days)],
        ["the ledger after 30 days", *(size(day.bytes_kept) for day in days)],
        ["pruning a day, seconds", *(number(day.prune) for day in days)],
    ]
    if job.report:
        rows.append(["reports a day", *(size(day.report_bytes) for day in days)])
    return report.table(["recipients a day", *map(number, DAYS)], rows)


def _simulation(runs: list[dict[str, float]]) -> str:
    def pair(run: dict[str, float], name: str, factor: float = 1) -> str:
        return f"{number(run[name] * factor)} ({number(run[f'{name}_predicted'] * factor)})"

    head = [
        "sends a second",
        "in time, %",
        "processes",
        "CPU of each, %",
        "machine busy, %",
        "commits a second",
        "median, ms",
        "95 %",
        "99 %",
        "agrees",
    ]
    rows = (
        [
            *map(number, (run["rate"], 100 * run["in_time"], run["processes"])),
            *(pair(run, "cpu", 100), number(100 * run["busy"]), pair(run, "commits"), pair(run, "median", 1000)),
            *(number(run[name] * 1000) for name in ("p95", "p99")),
            "yes" if agrees(run) else "NO",
        ]
        for run in runs
    )
    reached = max((run["rate"] for run in runs if keeps_up(run)), default=0)
    ended = "It was not tried with more." if keeps_up(runs[-1]) else "It did not keep up with more."
    return (
        f"{report.table(head, rows)}\n\nThis machine kept up with {number(reached)} sends a second, the busiest hour "
        f"of {number(reached / PEAK)} recipients a day. {ended}"
    )


def show(found: dict[str, Any]) -> str:
    """Return all tables."""
    measured = {backend: Constants(**each) for backend, each in found["constants"].items()}
    parts = [f"{found['at']}, Python {found['python']}, {found['machine']}", _constants(measured)]
    for name, job in JOBS.items():
        parts += [f"{name}, with the PostgreSQL ledger:", _model(job(measured["postgres"]), measured["postgres"])]
    if found["simulation"]:
        parts += ["The simulation; what the model says is in brackets:", _simulation(found["simulation"])]
    return "\n\n".join(parts)
