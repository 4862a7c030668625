"""The example of docs/ledger.md runs as it stands."""

import os
import subprocess
import sys
from pathlib import Path

from tingting_async.sandbox import Sandbox

DOCS = Path(__file__).parents[2] / "docs" / "ledger.md"


def test_snippet(tmp_path: Path) -> None:
    """The example, run twice, sends its code once and leaves nothing unresolved."""
    script = tmp_path / "snippet.py"
    script.write_text(
        DOCS.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0], encoding="utf-8"
    )
    with Sandbox().in_thread() as sandbox:
        environment = {**os.environ, "HOME": str(tmp_path), "TINGTING_BASE_URL": sandbox.url}
        environment |= {"TINGTING_API_TOKEN": sandbox.api_token}
        for _ in range(2):
            command = [sys.executable, "-P", str(script)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50, check=False)
            assert (done.stdout, done.stderr) == ("[]\n", "")
        assert sandbox.tally()["otp", "9800000001"] == 1
