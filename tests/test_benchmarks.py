"""The benchmark compares figures with goals, and writes them between the marker comments of the pages."""

import importlib
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tingting_async import SqliteLedger, ensure_sent
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import NewContact, Services, TingTing

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "docs" / "performance.md", ROOT / "README.md"]
EARLIER = {"at": "2026-11-26T00:00:00+00:00", "python": "3.11.7", "machine": "x86_64, 2 cores", "quick": False}


def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run the benchmark with these arguments."""
    command = [sys.executable, str(ROOT / "benchmarks" / "run.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def results(folder: Path, **sections: Any) -> Path:
    """Return a file with the figures of an earlier run."""
    path = folder / "results.json"
    path.write_text(json.dumps({**EARLIER, **sections}))
    return path


def test_a_missed_goal(tmp_path: Path) -> None:
    """With `--check`, a missed goal is named on standard error, and the run fails."""
    missed = run("--check", "--read", results(tmp_path, pytest={"with": 190.0, "without": 100.0}))
    assert 1 == missed.returncode
    assert "MISSED: start of an unrelated pytest run: with the plugin / without: 1.90, not <= 1.05\n" == missed.stderr


def test_all_goals_are_reached(tmp_path: Path) -> None:
    """With `--check`, a run that reaches every goal ends without an error."""
    imports = {"aiohttp": 100.0, "tingting_async": 114.0, "tingting_async.v1": 124.0}
    reached = run("--check", "--read", results(tmp_path, pytest={"with": 105.0, "without": 100.0}, imports=imports))
    assert (0, "") == (reached.returncode, reached.stderr)
    assert 3 == reached.stdout.count(" yes |")


@pytest.mark.parametrize("arguments", [["--quick"], ["--only", "pytest"]])
def test_only_a_whole_run_is_written(arguments: list[str]) -> None:
    """`--write` refuses a quick run and a run of some sections before it measures anything."""
    refused = run("--write", *arguments)
    assert 2 == refused.returncode
    assert "--write needs a whole run" in refused.stderr


@pytest.mark.parametrize(("quick", "reason"), [(False, "no figures for"), (True, "a quick run")])
def test_only_a_whole_earlier_run_is_written(tmp_path: Path, quick: bool, reason: str) -> None:
    """`--write` writes nothing if the earlier run was quick, or lacks a section."""
    before = [page.read_bytes() for page in PAGES]
    figures = results(tmp_path, quick=quick, pytest={"with": 105.0, "without": 100.0})
    refused = run("--write", "--read", figures)
    assert 1 == refused.returncode
    assert "Nothing was written" in refused.stderr
    assert reason in refused.stderr
    assert before == [page.read_bytes() for page in PAGES]


@pytest.mark.parametrize(
    ("page", "command"),
    [*((page, "make bench") for page in PAGES), (ROOT / "docs" / "scaling.md", "make capacity")],
    ids=lambda each: getattr(each, "name", None),
)
def test_markers(page: Path, command: str) -> None:
    """Each page has the two marker comments once, in order."""
    before, start, rest = page.read_text(encoding="utf-8").partition(f"<!-- measured by {command} -->")
    tables, end, after = rest.partition(f"<!-- end of what {command} measured -->")
    assert start
    assert end
    assert command not in tables
    assert "<!--" not in before + tables + after


# How far a fleet scales

MEASURED = {
    "row_bytes": 500,
    "pruned": 50_000,
    "claims": 1_000,
    "transaction": 0.002,
    "send": 0.006,
    "bare_cpu": 0.001,
    "send_cpu": 0.004,
    "request_cpu": 0.001,
    "contact_cpu": 0.0002,
    "report_row_cpu": 0.0001,
    "report_row_bytes": 60,
}


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the capacity model."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("capacity_model")


def capacity(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run the benchmark of the capacity with these arguments."""
    command = [sys.executable, str(ROOT / "benchmarks" / "capacity.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_needs_of_one_time_passwords(model: Any) -> None:
    """Ten million one-time passwords a day are 278 a second in the busiest hour, with what that needs."""
    measured = model.Constants(**MEASURED)
    expected = {
        "requests": 277.778,
        "commits": 523.69,  # 3 / (0.002 + exp(-185.185 * 0.002) / 185.185): each process has 185.185 pieces of work.
        "round_trips": 277.778,
        "processes": 3,  # 277.778 * 0.004 s of CPU are 1.11 cores, half a core for each.
        "connections": 4,
        "ledger_load": 0.277778,
        "rows": 10_000_000,
        "bytes_kept": 150e9,
        "prune": 200,
        "report_bytes": 0,
    }
    found = model.needs(model.one_time_password(measured), 10_000_000, measured)._asdict()
    assert pytest.approx(expected, rel=1e-5) == found


def test_the_needs_of_campaigns(model: Any) -> None:
    """A recipient above two hundred campaigns is a campaign more; each has 175 requests and four rows."""
    measured = model.Constants(**MEASURED)
    rate = 201 / 36_000
    # Two sends, 123 reads, and 5,000 contacts.
    assert pytest.approx(0.008 + 0.123 + 1.5) == model.campaign(measured).cpu
    expected = {
        "requests": 175 * rate,
        "commits": 1 / (0.002 + 0.999352 / (58 * rate)),
        "round_trips": 175 * rate,
        "processes": 1,
        "connections": 2,
        "ledger_load": 29 * rate / 1_000,
        "rows": 804,
        "bytes_kept": 12_060_000,
        "prune": 0.01608,
        "report_bytes": 60_300_000,
    }
    found = model.needs(model.campaign(measured), 1_000_001, measured)._asdict()
    assert pytest.approx(expected, rel=1e-5) == found


@pytest.mark.parametrize("work", [0.001, 1, 100, 10_000])
def test_commits_are_shared(model: Any, work: float) -> None:
    """A process commits as often as it has work, or as often as it can, whichever is less."""
    assert 0.6 * min(work, 500) < model.commits(work, 0.002) < min(work, 500) + 1e-9


@pytest.mark.anyio
async def test_the_campaign_of_the_model(model: Any, tmp_path: Path) -> None:
    """A campaign makes the requests that the model counts, apart from its polls, and the rows of the ledger."""
    job = model.campaign(model.Constants(**MEASURED))
    async with (
        Sandbox(campaigns=0) as sandbox,
        SqliteLedger(tmp_path / "ledger.sqlite") as ledger,
        TingTing(base_url=sandbox.url, api_token=sandbox.api_token, ledger=ledger) as tingting,
    ):
        sandbox.world.owner.credits = model.CAMPAIGN
        created = await tingting.campaigns.create("July", Services.SMS, sms_message="{name}", idempotency_key="July")
        people = [NewContact(str(9_800_000_000 + row), {"name": "Sita"}) for row in range(model.CAMPAIGN)]
        await tingting.contacts.add_many(created.id, people, idempotency_key="July")
        await ensure_sent(lambda: tingting.campaigns.run(created.id, idempotency_key="July"))
        sandbox.clock.advance(model.CAMPAIGN)
        await tingting.campaigns.wait(created.id)  # One poll, as it has ended.
        assert model.CAMPAIGN == len(await tingting.reports.rows(created.id).collect())
        assert job.requests == len(sandbox.requests) - 1 + model.POLLS
        assert job.rows == len(await ledger._storage.sends())


RUN = {
    "rate": 100,
    "processes": 2,
    "in_time": 0.99,
    "errors": 0,
    "cpu": 0.2,
    "cpu_predicted": 0.2,
    "busy": 0.7,
    "commits": 150,
    "commits_predicted": 160,
    "median": 0.008,
    "median_predicted": 0.006,
    "p95": 0.02,
    "p99": 0.05,
}


@pytest.mark.parametrize(
    ("found", "agrees", "keeps_up"),
    [
        ({}, True, True),
        ({"median": 0.01}, False, True),
        ({"cpu": 0.1}, False, True),
        ({"commits": 250}, False, True),
        ({"in_time": 0.8}, True, False),
        ({"errors": 1}, True, False),
        ({"p99": 1.5}, True, False),
    ],
)
def test_judging_the_simulation(model: Any, found: dict[str, float], agrees: bool, keeps_up: bool) -> None:
    """The model and the simulation agree within a factor of 1.5; a machine keeps up without errors and queues."""
    run = RUN | found
    assert (agrees, keeps_up) == (model.agrees(run), model.keeps_up(run))


def test_a_figure_that_is_not_known(model: Any) -> None:
    """A figure that a machine does not tell is shown as a question mark."""
    assert ["?", "0", "70"] == [model.number(value) for value in (math.nan, 0, 70.1)]


def test_the_tables_of_an_earlier_run(tmp_path: Path) -> None:
    """`--read` shows the tables of an earlier run, and `--write` refuses the figures of a quick one."""
    figures = tmp_path / "capacity.json"
    slower = RUN | {"rate": 200, "median": 0.9, "in_time": 0.75}
    constants = {"sqlite": MEASURED, "postgres": MEASURED}
    figures.write_text(json.dumps({**EARLIER, "quick": True, "constants": constants, "simulation": [RUN, slower]}))
    shown = capacity("--read", figures, "--write")
    assert (1, True) == (shown.returncode, "Nothing was written" in shown.stderr)
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in shown.stdout.splitlines() if "|" in line]
    assert ["a row of the ledger, with its indexes", "500 bytes", "500 bytes"] in cells
    assert ["requests a second", "< 0.01", "0.097", "0.97", "9.7"] in cells
    assert ["commits a second", "0.56", "5.6", "55", "524"] in cells
    assert ["the ledger after 30 days", "150 MB", "1.5 GB", "15 GB", "150 GB"] in cells
    row = ["100", "99", "2", "20 (20)", "70", "150 (160)", "8 (6)", "20", "50", "yes"]
    assert row in cells
    assert "kept up with 100 sends a second, the busiest hour of 3,600,000 recipients a day. It did not" in shown.stdout
