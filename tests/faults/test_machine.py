"""A machine that breaks after a request was sent: the caller gets a result, or one of the library's own errors."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("machine.py")


@pytest.mark.parametrize("broken", ["imports", "files", "main thread"])
def test_machine_that_breaks(broken: str, tmp_path: Path) -> None:
    """A send has its outcome, even if no module, file or thread is available any more when the service responds."""
    command = [sys.executable, "-W", "ignore", str(SCRIPT), broken, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, cwd=SCRIPT.parents[2])
    got = dict(line.rsplit(": ", 1) for line in done.stdout.splitlines())
    assert 12 == len(got), done.stderr
    assert {} == {call: outcome for call, outcome in got.items() if "foreign" in call}
    for sends in ("classic campaigns.run", "v1 campaigns.run"):
        expected = {
            "done": "returned",
            "lost": "OutcomeUnknownError",
        }
        assert expected == {kind: got[f"{sends}, {kind}"] for kind in expected}
