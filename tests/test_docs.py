"""The README and the docs: their Python blocks run and pass strict type checking, and their links lead somewhere."""

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


def is_complete(block: str) -> bool:
    """Return whether a block is a whole program: one that awaits at its top level is not."""
    try:
        compile(block, "block", "exec")
    except SyntaxError:
        return False
    return True


def programs(page: str) -> dict[str, str]:
    """Return the Python blocks of a page as programs, by file name."""
    found: dict[str, str] = {}
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for number, block in enumerate(blocks):
        text = block if is_complete(block) else AROUND_PART.format(textwrap.indent(block, " " * 8))
        found[f"{Path(page).stem.replace('-', '_').lower()}_{number}.py"] = text
    return found


PAGES = ("README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))))
PROGRAMS = {name: text for page in PAGES for name, text in programs(page).items()}


def is_script(text: str) -> bool:
    """Return whether a program runs as it is: there are no servers, and `test_examples.py` runs the pytest modules."""
    return not any(part in text for part in ("redis://", "postgresql://", "import pytest"))


def run(text: str, folder: Path, sandbox: Sandbox) -> str:
    """Run a program in its own process, and return what it prints."""
    script = folder / "program.py"
    script.write_text(text, encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TINGTING_")}
    environment |= {"HOME": str(folder), "TINGTING_BASE_URL": sandbox.url}
    environment |= {"TINGTING_EMAIL": sandbox.email, "TINGTING_PASSWORD": sandbox.password}
    command = [sys.executable, "-P", str(script)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("name", [name for name, text in PROGRAMS.items() if is_script(text)])
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
        assert sum(effect.kind == "run" for effect in sandbox.side_effects) == 1


@pytest.mark.timeout(300)
@pytest.mark.parametrize("checker", ["mypy", "basedpyright"])
def test_types(checker: str, tmp_path: Path) -> None:
    """Each block passes mypy and basedpyright in strict mode."""
    for name, text in PROGRAMS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    settings = {"typeCheckingMode": "strict", "pythonVersion": "3.11", "extraPaths": [str(ROOT)]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    options = {
        "mypy": ["--strict", "--no-warn-redundant-casts", *(str(tmp_path / name) for name in PROGRAMS)],
        "basedpyright": ["--pythonpath", sys.executable, "--project", str(tmp_path)],
    }
    command = [sys.executable, "-m", checker, *options[checker]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=290, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def anchors(page: Path) -> set[str]:
    """Return what GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, "SECURITY.md", "CHANGELOG.md"])
def test_links(page: str) -> None:
    """Each link to a file of the repository leads to a file, and to a heading if it names one."""
    path = ROOT / page
    for link in re.findall(r"\]\(([^)]+)\)", path.read_text(encoding="utf-8")):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", [*PAGES, "SECURITY.md"])
def test_paths(page: str) -> None:
    """Each test, benchmark or module that a page names by its path exists."""
    places = [ROOT, ROOT / "tingting_async"] if page == "docs/architecture.md" else [ROOT]
    for name in re.findall(r"`([a-z][\w./]*/(?:[\w./]+\.py)?)`", (ROOT / page).read_text(encoding="utf-8")):
        assert any((place / name).exists() for place in places), name
