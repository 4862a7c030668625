"""The examples of docs/ledger.md run as they stand."""

import os
import subprocess
import sys
from pathlib import Path

from support.postgres_servers import PostgresServer

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


def test_postgres_snippet(shared_postgres: PostgresServer, database: str, tmp_path: Path) -> None:
    """The example with PostgreSQL, run twice, runs its campaign once."""
    [text] = [
        block.partition("```")[0]
        for block in DOCS.read_text(encoding="utf-8").split("```python\n")[1:]
        if "postgresql://" in block.partition("```")[0]
    ]
    script = tmp_path / "snippet.py"
    dsn = shared_postgres.dsn(database)
    with Sandbox(campaigns=1, numbers=2).in_thread() as sandbox:
        [campaign] = sandbox.world.campaigns.values()
        campaign.status, campaign.services, campaign.user_phone = "Not Started", "PHONE", [1]
        campaign.scheduled_at = sandbox.clock.now() + 86_400
        text = text.replace("postgresql://jobs@db.example.com/jobs", dsn).replace("run(7)", f"run({campaign.id})")
        script.write_text(text, encoding="utf-8")
        environment = {**os.environ, "TINGTING_BASE_URL": sandbox.url, "TINGTING_API_TOKEN": sandbox.api_token}
        for _ in range(2):
            command = [sys.executable, "-P", str(script)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50, check=False)
            assert ("", "") == (done.stdout, done.stderr)
        assert 1 == sandbox.tally()["run", str(campaign.id)]
