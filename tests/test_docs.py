"""The Python blocks of the README and the docs run as they stand, and pass strict type checking."""

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tingting_async.sandbox import Fault, Sandbox

ROOT = Path(__file__).parents[1]
AROUND_PART = """\
import anyio
from tingting_async.v1 import TingTing


async def main() -> None:
    async with TingTing.from_env() as tingting:
{}

anyio.run(main)
"""


def programs(page: str) -> dict[str, str]:
    """Return the Python blocks of a page, by file name. A block that awaits at its top level is a part of a program."""
    found: dict[str, str] = {}
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for number, block in enumerate(blocks):
        is_part = (
            re.search(r"^(await|async|\w+ = await) |^    await ", block, re.MULTILINE) and "async def" not in block
        )
        text = AROUND_PART.format(textwrap.indent(block, " " * 8)) if is_part else block
        found[f"{Path(page).stem.replace('-', '_').lower()}_{number}.py"] = text
    return found


PAGES = ("README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))))
PROGRAMS = {name: text for page in PAGES if page != "docs/sandbox.md" for name, text in programs(page).items()}
"""All programs, but for the pytest modules of docs/sandbox.md, which `test_examples.py` runs."""


def run(text: str, folder: Path, sandbox: Sandbox) -> str:
    """Run a program in a process of its own, and return what it prints."""
    script = folder / "program.py"
    script.write_text(text, encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TINGTING_")}
    environment |= {"HOME": str(folder), "TINGTING_BASE_URL": sandbox.url, "TINGTING_API_TOKEN": sandbox.api_token}
    command = [sys.executable, "-P", str(script)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("name", [name for name in PROGRAMS if "redis://" not in PROGRAMS[name]])
def test_runs(name: str, tmp_path: Path) -> None:
    """Each block runs against a sandbox without an error or a warning."""
    with Sandbox(campaigns=57).in_thread() as sandbox:
        run(PROGRAMS[name], tmp_path, sandbox)


def test_resuming(tmp_path: Path) -> None:
    """The recipe for resuming prints each campaign once: 25 before it stops, and the others after."""
    (text,) = (text for text in programs("docs/pagination.md").values() if "resume_token" in text)
    with Sandbox(campaigns=57).in_thread() as sandbox:
        printed = run(text, tmp_path, sandbox).splitlines()
    assert len(printed) == 57
    assert len(set(printed)) == 57


def test_reconciling(tmp_path: Path) -> None:
    """The example of a lost response finds out that the campaign runs, and does not run it again."""
    (text,) = programs("docs/reliability.md").values()
    with Sandbox(campaigns=0).in_thread() as sandbox:
        sandbox.faults.add(Fault("reset_after", path="*/run-campaign/*"))
        assert run(text, tmp_path, sandbox).startswith("Verdict.DONE ")
        assert sum(effect.kind == "run" for effect in sandbox.effects) == 1


@pytest.mark.timeout(300)
@pytest.mark.parametrize("checker", ["mypy", "basedpyright"])
def test_types(checker: str, tmp_path: Path) -> None:
    """Each block passes mypy and basedpyright in strict mode."""
    for name, text in PROGRAMS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    settings = {"typeCheckingMode": "strict", "pythonVersion": "3.11", "extraPaths": [str(ROOT)]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    options = {
        "mypy": ["--strict", *(str(tmp_path / name) for name in PROGRAMS)],
        "basedpyright": ["--pythonpath", sys.executable, "--project", str(tmp_path)],
    }
    command = [sys.executable, "-m", checker, *options[checker]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=290, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
