"""A process that can open no more files: every failure is one of the library's own errors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import served

SCRIPT = Path(__file__).with_name("open_files.py")


def outcomes(generation: str, folder: Path, variables: dict[str, str]) -> dict[str, str]:
    """Return what each call ended with."""
    command = [sys.executable, "-W", "ignore", str(SCRIPT), generation, str(folder)]
    # To measure the coverage of these processes would need files, which they cannot open.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")} | variables
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=SCRIPT.parents[2], env=environment)
    got = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert done.stderr == ""
    return got


@pytest.mark.timeout(240)
@pytest.mark.parametrize("generation", ["classic", "v1"])
def test_operations(generation: str, tmp_path: Path) -> None:
    """No operation raises a foreign error if it can open no file, be it to import a module; nor does closing."""
    with served("--port", "0") as (process, variables):
        by_password = {name: value for name, value in variables.items() if name != "TINGTING_API_TOKEN"}
        got = outcomes(generation, tmp_path, by_password)
        process.terminate()
    assert len(got) >= 20
    assert {} == {name: ended for name, ended in got.items() if "foreign" in ended}
    assert {"returned"} == {ended.rpartition("closing ")[2] for ended in got.values()}


def test_what_needs_no_session(tmp_path: Path) -> None:
    """What needs no session raises no foreign error either if it can open no file."""
    got = outcomes("none", tmp_path, {})
    assert len(got) >= 10
    assert {} == {name: ended for name, ended in got.items() if not ended.endswith("Error")}
    assert {} == {name: ended for name, ended in got.items() if "foreign" in ended}
