"""What an error tracker shows of an error: the local variables of every frame that it passed through."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all errors behind it: causes, contexts, and the members of groups."""
    seen: set[int] = set()
    rest: list[BaseException | None] = [error]
    while rest:
        each = rest.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            rest += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]
            yield each


def frame_locals(error: BaseException) -> Iterator[str]:
    """Yield each local variable of the frames behind an error, as text. The frames of the tests do not count."""
    for each in chain(error):
        trace = each.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            if not Path(code.co_filename).is_relative_to(TESTS):
                for name, value in trace.tb_frame.f_locals.items():
                    for text in shown(value):
                        yield f"{code.co_qualname}: {name} = {text}"
            trace = trace.tb_next


def shown(value: Any, depth: int = 6) -> Iterator[str]:
    """Yield what a tracker shows of a value: the repr, or those of what a container holds."""
    if depth and isinstance(value, dict):
        for key, each in value.items():
            yield from shown(key, depth - 1)
            yield from shown(each, depth - 1)
    elif depth and isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from shown(each, depth - 1)
    else:
        with contextlib.suppress(Exception):  # An object may not be complete yet.
            yield repr(value)
