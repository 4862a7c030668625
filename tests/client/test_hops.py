"""How many functions a later page of a list enters.

To see them: `python -m pytest -s tests/client/test_hops.py`.
"""

import sys
from pathlib import Path
from types import FrameType

import pytest

import tingting_async
from tingting_async import TingTing
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

ROOT = Path(tingting_async.__file__).parent
LIMIT = 45


async def test_a_later_page_enters_few_functions() -> None:
    """The third page of a list on a signed-in session enters at most 45 functions of the client."""
    pytest.importorskip("tingting_async.decoding.fast.pages", reason="the limit includes the fast path")
    entered: set[tuple[str, str, int]] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        path = Path(code.co_filename)
        if event == "call" and path.is_relative_to(ROOT) and not code.co_name.startswith("<"):
            name = path.relative_to(ROOT)
            if name.parts[0] != "sandbox":
                entered.add((name.as_posix(), code.co_qualname, code.co_firstlineno))

    async with (
        Sandbox(campaigns=40) as sandbox,
        TingTing(base_url=sandbox.url, email=sandbox.email, password=sandbox.password) as tingting,
    ):
        await tingting.accounts.user_details()
        pages = tingting.campaigns.list(window=1).pages()
        assert [(await anext(pages)).number for _ in range(2)] == [1, 2]
        before = sys.getprofile()
        sys.setprofile(note)
        try:
            third = await anext(pages)
        finally:
            sys.setprofile(before)
    assert third.number == 3
    for where in sorted(entered):
        print("{}: {} (line {})".format(*where))  # noqa: T201 - shown with `-s`, or if the test fails
    files = {name for name, _, _ in entered}
    print(f"{len(entered)} functions in {len(files)} files; the limit is {LIMIT}")  # noqa: T201
    assert len(entered) <= LIMIT
