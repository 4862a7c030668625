"""The soak test, shortened to some seconds."""

import subprocess
import sys
from pathlib import Path

SOAK = Path(__file__).parent.parent.parent / "benchmarks" / "soak.py"


def test_soak() -> None:
    """After many calls among faults, every call is accounted for, and memory, tasks and sockets are as before."""
    run = subprocess.run(
        [sys.executable, SOAK, "--calls", "3000", "--faults", "0.05"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "wrong: nothing" in run.stdout
