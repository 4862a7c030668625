"""Format the measurements as tables, and each figure with its goal."""

import statistics
from collections.abc import Callable, Iterable
from typing import Any

OURS = "tingting_async, window 32"
FLOOR = "aiohttp + orjson, window 32"
HTTPX = "httpx.AsyncClient, window 8"
VENDOR = "requests, no session (the vendor's way)"

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
Sends = dict[str, list[dict[str, float]]]
"""The latency and the CPU time of a send in milliseconds, by contender and round."""


def median(runs: list[dict[str, float]], cost: str) -> float:
    """Return the median of a cost, per page."""
    return statistics.median(run[cost] / run["pages"] for run in runs)


def ratio(runs: Runs, one: str, other: str, cost: str) -> float:
    """Return the median over the rounds of the ratio of two contenders; within a round the machine was the same."""
    return statistics.median(
        (a[cost] / a["pages"]) / (b[cost] / b["pages"]) for a, b in zip(runs[one], runs[other], strict=True)
    )


def send_ratio(sends: Sends, name: str, cost: str) -> float:
    """Return the median over the rounds of a cost, as a ratio to aiohttp on connections that are kept alive."""
    return statistics.median(a[cost] / b[cost] for a, b in zip(sends[name], sends[KEPT_ALIVE], strict=True))


def goals(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return each figure with its goal."""
    cpu, wall, decoded = found["cpu"], found["wall"], found["decode"]["v1 campaigns"]["us"]
    growth = found["memory"]["growth_kib"] / 1024
    together, sandbox = found["together"], found["sandbox"]
    (few, few_cpu), (many, many_cpu) = ((int(calls), cpu) for calls, cpu in sandbox["runs"].items())
    rows: list[tuple[str, float, str, float]] = [
        (
            "client CPU per page: tingting_async / hand-written aiohttp, dictionaries",
            ratio(cpu, OURS, FLOOR, "cpu"),
            "<=",
            1.45,
        ),
        ("the same, as a ratio of medians", median(cpu[OURS], "cpu") / median(cpu[FLOOR], "cpu"), "<=", 1.45),
        ("client CPU per page: httpx.AsyncClient, window 8 / tingting_async", ratio(cpu, HTTPX, OURS, "cpu"), ">=", 6),
        ("decoding one page: models / orjson dictionaries", decoded["tingting_async"] / decoded[_DICTS], "<", 3.5),
        ("decoding one page: models / pydantic", decoded["tingting_async"] / decoded["pydantic"], "<", 1),
        ("wall time / ideal: 50 ms, window 32", median(wall[OURS], "wall") / found["ideal_wall_per_page"], "<=", 1.06),
        ("wall time: the vendor's way / tingting_async, 50 ms", ratio(wall, VENDOR, OURS, "wall"), ">=", 25),
        *(
            (
                f"one-time passwords over TLS, {how}: {what} / aiohttp kept alive",
                send_ratio(each, "tingting_async", cost),
                "<=",
                goal,
            )
            for how, each in found["sends"].items()
            for what, cost, goal in (("latency", "latency", 1.08), ("client CPU", "cpu", 1.4))
        ),
        ("leaving after 25 items, 10 ms: surplus requests", found["leave"]["default window"], "<=", 2),
        (f"{found['memory']['rows']:,} rows: memory growth, MiB", growth, "<=", 1),
        ("import tingting_async / import aiohttp", found["imports"]["tingting_async"]["ratio"], "<=", 1.2),
        ("start of an unrelated pytest run: with the plugin / without", found["pytest_start"], "<=", 1.05),
        ("sandbox, one page of contacts: 50,000 / 50", sandbox["pages"]["v1 contacts"]["ratio"], "<=", 1.5),
        ("the same, the slowest list", max(each["ratio"] for each in sandbox["pages"].values()), "<=", 1.5),
        (f"sandbox, CPU per call: {many:,} calls / {few:,}", (many_cpu / many) / (few_cpu / few), "<=", 1.5),
        (f"sandbox, a run of {many:,} calls: CPU seconds", many_cpu, "<=", 5),
        ("50 lists: peak of requests in flight / the limit", together["peak_in_flight"] / together["limit"], "<=", 1),
        (
            "50 lists: smallest list: share of time / share of size",
            together["small_share"] / together["small_size"],
            "<=",
            2,
        ),
    ]
    return [
        {"figure": figure, "value": value, "goal": f"{sign} {goal:g}", "reached": _COMPARE[sign](value, goal)}
        for figure, value, sign, goal in rows
    ]


_DICTS = "orjson, dictionaries"
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": lambda value, goal: value <= goal,
    "<": lambda value, goal: value < goal,
    ">=": lambda value, goal: value >= goal,
}


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


def _cpu_table(cpu: Runs) -> str:
    return table(
        ["contender", "µs per page", "/ floor", "minor faults per page", "peak MiB"],
        (
            [
                name,
                f"{median(runs, 'cpu') * 1e6:.0f}",
                f"{ratio(cpu, name, FLOOR, 'cpu'):.2f}",
                f"{median(runs, 'faults'):.2f}",
                f"{statistics.median(run['peak_mib'] for run in runs):.0f}",
            ]
            for name, runs in cpu.items()
        ),
    )


def show(found: dict[str, Any]) -> str:
    """Return the whole report."""
    cpu, wall, settings = found["cpu"], found["wall"], found["settings"]
    parts = [
        f"Client CPU, {settings['pages']:,} pages of v1 campaigns, no latency; medians of {settings['rounds']} rounds",
        _cpu_table(cpu),
        *(
            part
            for what, runs in found["cpu_of_others"].items()
            for part in (f"Client CPU, the same with {what.replace('-', ' ')}", _cpu_table(runs))
        ),
        f"Wall time, the same at {settings['latency']} ms latency; medians of {settings['wall_rounds']} rounds",
        table(
            ["contender", "seconds", "/ ideal", "tingting_async is faster by", "of pages"],
            (
                [
                    name,
                    f"{median(runs, 'wall') * 1000:.2f}",
                    f"{median(runs, 'wall') / found['ideal_wall_per_page']:.2f}",
                    f"{ratio(wall, name, OURS, 'wall'):.1f}",
                    f"{runs[0]['pages']:,.0f}",
                ]
                for name, runs in wall.items()
            ),
        ),
    ]
    for what, each in found["decode"].items():
        parts += [
            f"Decoding alone: ten {what}, {each['bytes']:,} bytes",
            table(
                ["way", "µs", "/ orjson"],
                ([name, f"{us:.1f}", f"{us / each['us'][_DICTS]:.2f}"] for name, us in each["us"].items()),
            ),
        ]
    for how, sends in found["sends"].items():
        parts += [
            f"Sending one-time passwords over TLS, {how}, on a link with a round trip of {settings['round_trip']} ms",
            table(
                ["contender", "latency, ms", "/ kept alive", "CPU ms per send", "/ kept alive "],
                (
                    [
                        name,
                        f"{statistics.median(run['latency'] for run in runs):.1f}",
                        f"{send_ratio(sends, name, 'latency'):.2f}",
                        f"{statistics.median(run['cpu'] for run in runs):.2f}",
                        f"{send_ratio(sends, name, 'cpu'):.2f}",
                    ]
                    for name, runs in sends.items()
                ),
            ),
        ]
    parts += [
        "Importing, in a fresh process",
        table(
            ["module", "CPU ms", "/ aiohttp"],
            ([module, f"{each['ms']:.0f}", f"{each['ratio']:.2f}"] for module, each in found["imports"].items()),
        ),
        "The sandbox: one page of a list",
        table(
            ["list", "µs, 50 rows", "µs, 50,000 rows", "ratio"],
            (
                [name, f"{each['small']:.0f}", f"{each['large']:.0f}", f"{each['ratio']:.2f}"]
                for name, each in found["sandbox"]["pages"].items()
            ),
        ),
        "Goals",
        table(
            ["figure", "measured", "goal", "reached"],
            (
                [each["figure"], f"{each['value']:.2f}", each["goal"], "yes" if each["reached"] else "NO"]
                for each in found["goals"]
            ),
        ),
    ]
    return "\n\n".join(parts)
