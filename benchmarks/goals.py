"""The goals, each with the figure that was measured."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import report


class Goal(NamedTuple):
    """A figure and its goal.

    Attributes:
        figure: What was measured.
        value: The measured value.
        sign: How the value must compare with the goal.
        goal: The goal, which `--check` demands.
        dream: A better value, which nothing demands.
    """

    figure: str
    value: float
    sign: str
    goal: float
    dream: float | None = None

    @property
    def is_reached(self) -> bool:
        return _COMPARE[self.sign](self.value, self.goal)

    @property
    def is_surpassed(self) -> bool:
        return self.dream is not None and _COMPARE[self.sign](self.value, self.dream)


_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": lambda value, goal: value <= goal,
    "<": lambda value, goal: value < goal,
    ">=": lambda value, goal: value >= goal,
}


def _pages(pages: dict[str, report.Runs]) -> Iterator[Goal]:
    for what, runs in pages.items():
        figure = f"client CPU of a page, {what.replace('-', ' ')}: tingting_async / hand-written aiohttp"
        yield Goal(figure, report.ratio(runs, report.OURS, report.FLOOR, "cpu"), "<=", 1.4, 1.25)
    ratio = report.ratio(pages["v1-campaigns"], report.HTTPX, report.OURS, "cpu")
    yield Goal("client CPU of a page: httpx.AsyncClient, window 8 / tingting_async", ratio, ">=", 8, 10)


def _decode(decode: dict[str, Any]) -> Iterator[Goal]:
    times = decode["v1 campaigns"]["us"]
    ratio = times["tingting_async"] / times[report.DICTS]
    yield Goal("decoding a page of v1 campaigns: models / orjson dictionaries", ratio, "<=", 2, 1.5)
    for what, each in decode.items():
        ratio = each["us"]["tingting_async"] / each["us"]["pydantic"]
        yield Goal(f"decoding a page of {what}: models / pydantic", ratio, "<", 1)


def _wall(wall: dict[str, report.Runs]) -> Iterator[Goal]:
    ideal = report.ideal_wall()
    yield Goal("wall time / ideal, 50 ms", report.median(wall["plain"][report.OURS], "wall") / ideal, "<=", 1.05)
    plain, tls = (report.ratio(wall[how], report.VENDOR, report.OURS, "wall") for how in ("plain", "tls"))
    yield Goal("wall time: the vendor's way / tingting_async, 50 ms", plain, ">=", 28)
    yield Goal("the same over TLS, whose connections take time to open", tls, ">=", 28, 60)


def _ledger(ledgers: dict[str, Any]) -> Iterator[Goal]:
    for backend, times in ledgers.items():
        name = report.BACKENDS[backend]
        added = (times["send, ledger"] - times["send"]) / times["commit"]
        yield Goal(f"{name} ledger: added latency of a send / one durable commit", added, "<=", 2.5, 1.5)
        rate = times["together"] / times["together, ledger"]
        yield Goal(f"{name} ledger, 64 at a time: sends a second with it / without", rate, ">=", 0.8, 0.9)
        claims = times["claims"]
        yield Goal(f"{name} ledger, 8 processes of 32: 99th percentile of a claim, ms", claims["p99"], "<=", 100)
        yield Goal(f"{name} ledger, 8 processes of 32: errors", claims["errors"], "<=", 0)


def _adds(adds: dict[str, dict[str, float]]) -> Iterator[Goal]:
    *kinds, many = adds.items()
    for kind, figures in kinds:
        yield Goal(f"adding 50,000 contacts ({kind}), 8 requests at a time: wall / ideal", figures["ratio"], "<=", 1.25)
        yield Goal("the same: peak memory above the idle process, MiB", figures["mib"], "<=", 40, 25)
    yield Goal(f"adding contacts, {many[0]}: the same", many[1]["mib"], "<=", 40, 25)


def _lists(lists: dict[str, Any]) -> Iterator[Goal]:
    memory, together = lists["memory"], lists["together"]
    yield Goal("leaving `async for` after 25 items, 10 ms: surplus requests", lists["leave"]["default window"], "<=", 2)
    yield Goal(f"{memory['rows']:,} rows: growth of memory, MiB", memory["growth_kib"] / 1024, "<=", 1)
    peak = together["peak_in_flight"] / together["limit"]
    yield Goal("50 lists: peak of requests in flight / the limit", peak, "<=", 1)
    share = together["small_share"] / together["small_size"]
    yield Goal("50 lists, the smallest: share of the time / share of the size", share, "<=", 2)


def _sends(sends: dict[str, report.Runs]) -> Iterator[Goal]:
    for how, runs in sends.items():
        for what, cost, goal, dream in (("latency", "latency", 1.08, 1.03), ("client CPU", "cpu", 1.4, 1.25)):
            figure = f"one-time passwords over TLS, {how}: {what} / aiohttp kept alive"
            yield Goal(figure, report.ratio(runs, "tingting_async", report.KEPT_ALIVE, cost), "<=", goal, dream)


def _imports(times: dict[str, float]) -> Iterator[Goal]:
    for module, goal in (("tingting_async", 1.15), ("tingting_async.v1", 1.25)):
        yield Goal(f"import {module} / import aiohttp", times[module] / times["aiohttp"], "<=", goal)


def _pytest(times: dict[str, float]) -> Iterator[Goal]:
    figure = "start of an unrelated pytest run: with the plugin / without"
    yield Goal(figure, times["with"] / times["without"], "<=", 1.05)


def _sandbox(sandbox: dict[str, Any]) -> Iterator[Goal]:
    pages = sandbox["pages"]
    yield Goal("sandbox, one page of contacts: 50,000 / 50", pages["v1 contacts"]["ratio"], "<=", 1.5)
    yield Goal("the same, the slowest list", max(each["ratio"] for each in pages.values()), "<=", 1.5)
    (few, few_cpu), (many, many_cpu) = ((int(calls), cpu) for calls, cpu in sandbox["runs"].items())
    yield Goal(f"sandbox, CPU of a call: {many:,} calls / {few:,}", (many_cpu / many) / (few_cpu / few), "<=", 1.5)
    yield Goal(f"sandbox, a run of {many:,} calls: CPU seconds", many_cpu, "<=", 5)
    *_, (calls, fast) = sandbox["full speed"].items()
    yield Goal(f"sandbox, {int(calls):,} calls at full speed: seconds", fast["time"], "<=", 6)
    yield Goal("the same, the longest request meanwhile: seconds", fast["longest request"], "<=", 0.1)


SECTIONS: dict[str, Callable[[Any], Iterator[Goal]]] = {
    "pages": _pages,
    "decode": _decode,
    "wall": _wall,
    "sends": _sends,
    "ledger": _ledger,
    "adds": _adds,
    "lists": _lists,
    "imports": _imports,
    "pytest": _pytest,
    "sandbox": _sandbox,
}
"""The goals of each section, by the name that `--only` takes."""


def goals(found: dict[str, Any]) -> list[Goal]:
    """Return the goals of all sections that were measured."""
    return [goal for section, list_goals in SECTIONS.items() if section in found for goal in list_goals(found[section])]


def show(goals: list[Goal]) -> str:
    """Return the table of the goals."""
    return report.table(
        ["figure", "measured", "goal", "dream", "reached"],
        (
            [
                goal.figure,
                f"{goal.value:.2f}",
                f"{goal.sign} {goal.goal:g}",
                "" if goal.dream is None else f"{goal.sign} {goal.dream:g}",
                "dream" if goal.is_surpassed else "yes" if goal.is_reached else "NO",
            ]
            for goal in goals
        ),
    )
