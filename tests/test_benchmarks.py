"""The benchmark compares figures with goals, and writes them between the marker comments of the pages."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_markers(page: Path) -> None:
    """Each page has the two marker comments once, in order."""
    before, start, rest = page.read_text(encoding="utf-8").partition("<!-- measured by make bench -->")
    tables, end, after = rest.partition("<!-- end of what make bench measured -->")
    assert start
    assert end
    assert "make bench" not in tables
    assert "<!--" not in before + tables + after
