"""The soak tests, shortened to some seconds."""

import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).parent.parent.parent / "benchmarks" / "soak.py"


@pytest.mark.timeout(180)
def test_soak() -> None:
    """After many calls among faults, the sandbox and the ledger agree with every outcome, and nothing is left open."""
    run = subprocess.run(
        [sys.executable, SOAK, "--calls", "3000", "--faults", "0.05"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "wrong: nothing" in run.stdout
    assert "600 of the calls are sends, with the SQLite ledger" in run.stdout


def test_idle_connections() -> None:
    """Servers that close idle connections under a stream of sends leave each send done once, or reported."""
    run = subprocess.run(
        [sys.executable, SOAK, "--idle", "--seconds", "4"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert 4 == run.stdout.count("connections closed after")
    assert "wrong: nothing" in run.stdout
