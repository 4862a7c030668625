"""Collects what is wrong with many rows, so that one error names all of it."""

from tingting_async.errors import UsageError

MAX_PROBLEMS = 1000
"""The maximum number of refused rows that an error lists."""


ROWS_PER_TURN = 100
"""The number of rows that are checked before other tasks run. A number with spaces takes up to 0.2 ms."""


class RowChecker:
    """Collects the problems of the rows of a call, so that one error can name all of them."""

    def __init__(self) -> None:
        self._problems: list[tuple[str, str]] = []
        self._count = 0

    def refuse(self, *problems: tuple[str, str]) -> None:
        """Note problems: the place of each, and what is wrong there."""
        self._count += len(problems)
        self._problems += problems[: MAX_PROBLEMS - len(self._problems)]

    def finish(self) -> None:
        """Raise an error if there is a problem.

        Raises:
            UsageError: Its text has the first three problems, its `problems` the first thousand.
        """
        if self._count:
            more = f" And {self._count - 3} more, see `problems` of this error." if self._count > 3 else ""
            text = " ".join(said for _, said in self._problems[:3]) + more
            raise UsageError(text, problems=tuple(self._problems))
