"""The examples of docs/observability.md run as they stand."""

import os
import subprocess
import sys
from pathlib import Path

from tingting_async.sandbox import Sandbox

DOCS = Path(__file__).parents[2] / "docs" / "observability.md"


def test_events(tmp_path: Path) -> None:
    """The listener counts the requests of the list."""
    script = tmp_path / "snippet.py"
    shown = DOCS.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    script.write_text(shown, encoding="utf-8")
    with Sandbox(campaigns=25, page_size=10).in_thread() as sandbox:
        environment = {**os.environ, "TINGTING_BASE_URL": sandbox.url, "TINGTING_API_TOKEN": sandbox.api_token}
        command = [sys.executable, "-P", str(script)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50, check=False)
    assert (done.stdout, done.stderr) == ("25\n{'campaigns.list 200': 3}\n", "")
