"""Format the measurements as tables in Markdown."""

import statistics
from collections.abc import Callable, Iterable, Iterator
from typing import Any

PAGES, LATENCY, WINDOW = 1_000, 50, 32
"""What is listed; the latency of a request in milliseconds, where there is any; requests in flight."""
ROUND_TRIP = 40
"""The round-trip time of the link to the service that sends one-time passwords, in milliseconds."""

OURS = "tingting_async, window 32"
FLOOR = "aiohttp + orjson, window 32"
HTTPX = "httpx.AsyncClient, window 8"
VENDOR = "requests, no session (the vendor's way)"
DICTS = "orjson, dictionaries"

BACKENDS = {"sqlite": "SQLite", "postgres": "PostgreSQL"}

KEPT_ALIVE = "aiohttp, kept alive"
SENDERS = (
    KEPT_ALIVE,
    "tingting_async",
    "aiohttp, fresh connections",
    "tingting_async, fresh connections",
    "httpx.AsyncClient",
    "requests.Session, in threads",
)

Runs = dict[str, list[dict[str, float]]]
"""The costs of each run, by contender."""


def median(runs: list[dict[str, float]], cost: str) -> float:
    """Return the median of a cost: of a page, or of a send."""
    return statistics.median(run[cost] / run.get("pages", 1) for run in runs)


def ratio(runs: Runs, one: str, other: str, cost: str) -> float:
    """Return the ratio of the medians of two contenders."""
    return median(runs[one], cost) / median(runs[other], cost)


def ideal_wall() -> float:
    """Return the least time that a page can take, in seconds: one request, and then as many at once as allowed."""
    return LATENCY / 1000 * (1 + -(-(PAGES - 1) // WINDOW)) / PAGES


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """Return a table in Markdown, with the first column aligned left and numbers aligned right."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]

    def format_row(cells: list[str]) -> str:
        first, *others = cells
        numbers = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        return f"| {' | '.join([first.ljust(widths[0]), *numbers])} |"

    rule = "|" + "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]) + "|"
    return "\n".join([format_row(head), rule, *(format_row(row) for row in lines[1:])])


Table = tuple[str, str]
"""A heading, and a table or a sentence."""


def _pages(pages: dict[str, Runs]) -> Iterator[Table]:
    for what, runs in pages.items():
        yield (
            f"Client CPU, {PAGES:,} pages of {what.replace('-', ' ')}, no latency",
            table(
                ["contender", "µs per page", "/ floor", "minor faults per page", "peak MiB", "rounds"],
                (
                    [
                        name,
                        f"{median(each, 'cpu') * 1e6:.0f}",
                        f"{ratio(runs, name, FLOOR, 'cpu'):.2f}",
                        f"{median(each, 'faults'):.2f}",
                        f"{statistics.median(run['peak_mib'] for run in each):.0f}",
                        f"{len(each)}",
                    ]
                    for name, each in runs.items()
                ),
            ),
        )


def _wall(wall: dict[str, Runs]) -> Iterator[Table]:
    for how, runs in wall.items():
        over = "over TLS on a link with a round trip" if how == "tls" else "with a latency"
        yield (
            f"Wall time, {PAGES:,} pages of v1 campaigns {over} of {LATENCY} ms; {len(runs[OURS])} rounds",
            table(
                ["contender", "seconds", "/ ideal", "/ tingting_async", "measured with pages"],
                (
                    [
                        name,
                        f"{median(each, 'wall') * PAGES:.2f}",
                        f"{median(each, 'wall') / ideal_wall():.2f}",
                        f"{ratio(runs, name, OURS, 'wall'):.1f}",
                        f"{each[0]['pages']:,.0f}",
                    ]
                    for name, each in runs.items()
                ),
            ),
        )


def _decode(decode: dict[str, Any]) -> Iterator[Table]:
    for what, each in decode.items():
        yield (
            f"Decoding alone: ten {what}, {each['bytes']:,} bytes",
            table(
                ["way", "µs", "/ orjson", "/ pydantic"],
                (
                    [name, f"{us:.1f}", f"{us / each['us'][DICTS]:.2f}", f"{us / each['us']['pydantic']:.2f}"]
                    for name, us in each["us"].items()
                ),
            ),
        )


def _sends(sends: dict[str, Runs]) -> Iterator[Table]:
    for how, runs in sends.items():
        rounds = len(runs[KEPT_ALIVE])
        yield (
            f"One-time passwords over TLS, {how}, on a link with a round trip of {ROUND_TRIP} ms; {rounds} rounds",
            table(
                ["contender", "latency, ms", "/ kept alive", "CPU ms per send", "/ kept alive ", "minor faults"],
                (
                    [
                        name,
                        f"{median(each, 'latency'):.1f}",
                        f"{ratio(runs, name, KEPT_ALIVE, 'latency'):.2f}",
                        f"{median(each, 'cpu'):.2f}",
                        f"{ratio(runs, name, KEPT_ALIVE, 'cpu'):.2f}",
                        f"{median(each, 'faults'):.2f}",
                    ]
                    for name, each in runs.items()
                ),
            ),
        )


def _ledger(ledgers: dict[str, Any]) -> Iterator[Table]:
    for backend, times in ledgers.items():
        claims = times["claims"]
        rows = [["one durable commit", f"{times['commit']:.2f} ms", "", ""]]
        for what, name in (("one at a time", "send"), ("64 at a time", "together")):
            for how, suffix in (
                ("without a ledger", ""),
                ("with one that stores nothing", ", nothing"),
                ("with it", ", ledger"),
                ("with a key", ", ledger, key"),
            ):
                if f"{name}{suffix}" not in times:
                    continue
                ms = times[f"{name}{suffix}"]
                added = f"{(ms - times[name]) / times['commit']:.2f}" if suffix and name == "send" else ""
                cpu = f"{times[f'together{suffix}, cpu'] * 1000:.0f} µs" if name == "together" else ""
                rate = f"{ms:.2f} ms" if name == "send" else f"{1000 / ms:.0f} a second"
                rows.append([f"sends {what}, {how}", rate, added, cpu])
        for how, name in (("without a ledger", "without"), ("with the least ledger", "with")):
            if "by hand" in times:
                rate = f"{1 / times['by hand'][name]:.0f} a second"
                rows.append([f"sends 64 at a time, aiohttp written by hand, {how}", rate, "", ""])
        rows.append(
            [f"claims in 8 processes of 32 tasks, median of {claims['count']:,}", f"{claims['median']:.1f} ms", "", ""]
        )
        rows += [
            [f"the same, {name}", f"{claims[key]:.1f} ms", "", ""]
            for name, key in (("99th percentile", "p99"), ("longest", "max"))
        ]
        yield f"The {BACKENDS[backend]} ledger", table(["", "measured", "added / commit", "CPU of a send"], rows)


def _adds(adds: dict[str, dict[str, float]]) -> Iterator[Table]:
    yield (
        f"Adding contacts in requests of 100, eight at a time, over TLS on a link with a round trip of {ROUND_TRIP} ms",
        table(
            ["contacts from", "seconds", "/ ideal", "CPU seconds", "peak memory, MiB"],
            (
                [kind, f"{each['wall']:.2f}", f"{each['ratio']:.2f}", f"{each['cpu']:.2f}", f"{each['mib']:.1f}"]
                for kind, each in adds.items()
            ),
        ),
    )


def _lists(lists: dict[str, Any]) -> Iterator[Table]:
    leave = table(["`async for`", "surplus requests"], ([name, f"{count}"] for name, count in lists["leave"].items()))
    yield "Leaving a list of a thousand pages after 25 items, at 10 ms", leave
    memory = lists["memory"]
    yield (
        f"Memory while listing {memory['rows']:,} classic numbers, window 32",
        table(
            ["after", "MiB"],
            [
                ["a twentieth of the rows", f"{memory['mib'] - memory['growth_kib'] / 1024:.1f}"],
                ["all rows, at most", f"{memory['mib']:.1f}"],
            ],
        ),
    )


def _imports(times: dict[str, float]) -> Iterator[Table]:
    rows = ([module, f"{ms:.0f}", f"{ms / times['aiohttp']:.2f}"] for module, ms in times.items())
    yield "Importing, in a fresh process", table(["module", "CPU ms", "/ aiohttp"], rows)


def _pytest(times: dict[str, float]) -> Iterator[Table]:
    rows = ([f"{which} the plugin", f"{ms:.0f}", f"{ms / times['without']:.2f}"] for which, ms in times.items())
    yield "pytest with one empty test", table(["", "CPU ms", "/ without"], rows)


def _sandbox(sandbox: dict[str, Any]) -> Iterator[Table]:
    rows = (
        [name, f"{each['small']:.0f}", f"{each['large']:.0f}", f"{each['ratio']:.2f}"]
        for name, each in sandbox["pages"].items()
    )
    yield "The sandbox: one page of a list", table(["list", "µs, 50 rows", "µs, 50,000 rows", "ratio"], rows)


_TABLES: dict[str, Callable[[Any], Iterator[Table]]] = {
    "pages": _pages,
    "wall": _wall,
    "decode": _decode,
    "sends": _sends,
    "ledger": _ledger,
    "adds": _adds,
    "lists": _lists,
    "imports": _imports,
    "pytest": _pytest,
    "sandbox": _sandbox,
}


def tables(found: dict[str, Any]) -> list[Table]:
    """Return the tables of all sections that were measured."""
    return [each for section, show in _TABLES.items() if section in found for each in show(found[section])]


def summary(found: dict[str, Any]) -> str:
    """Return the table of the README: what listing costs."""
    pages, wall = found["pages"]["v1-campaigns"], found["wall"]["plain"]
    names = {
        OURS: OURS,
        FLOOR: "hand-written aiohttp, dictionaries, window 32",
        HTTPX: "httpx.AsyncClient, dictionaries, window 8",
        VENDOR: "requests without a session, one page after another",
    }
    return table(
        ["", "CPU per page", f"wall time at {LATENCY} ms latency"],
        (
            [shown, f"{median(pages[name], 'cpu') * 1e6:.0f} µs", f"{median(wall[name], 'wall') * PAGES:.1f} s"]
            for name, shown in names.items()
        ),
    )
