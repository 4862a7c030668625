"""The examples of docs/token-stores.md run as they stand."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tingting_async.sandbox import Sandbox

DOCS = Path(__file__).parents[3] / "docs" / "token-stores.md"


def test_snippets(place: Any, tmp_path: Path) -> None:
    """Run twice, each snippet signs in once: the second process finds the tokens of the first."""
    snippets = [part.partition("```")[0] for part in DOCS.read_text(encoding="utf-8").split("```python\n")[1:]]
    snippet = next(snippet for snippet in snippets if f"import {place.kind.title()}TokenStore" in snippet)
    script = tmp_path / "snippet.py"
    for example in ("redis://localhost:6379/0", "postgresql://localhost/jobs"):
        snippet = snippet.replace(example, place.where)
    script.write_text(snippet, encoding="utf-8")
    with Sandbox().in_thread() as sandbox:
        environment = {**os.environ, "HOME": str(tmp_path), "TINGTING_BASE_URL": sandbox.url}
        environment |= {"TINGTING_EMAIL": sandbox.email, "TINGTING_PASSWORD": sandbox.password}
        environment.pop("TINGTING_API_TOKEN", None)
        for _ in range(2):
            command = [sys.executable, "-P", str(script)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50, check=False)
            assert (done.stdout, done.stderr) == (f"{sandbox.email}\n", "")
        assert sum(received.path == "/api/v1/auths/login/" for received in sandbox.requests) == 1
