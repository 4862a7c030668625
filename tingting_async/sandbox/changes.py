"""A counter of changes."""

from threading import Lock


class Changes:
    """Counts the changes of a sandbox, so that a page that shows its state can tell whether the state has changed."""

    def __init__(self) -> None:
        self.count: int = 0
        self._lock = Lock()

    def note(self, number: int = 1) -> None:
        """Count a change, or several. This may be called from any thread."""
        with self._lock:
            self.count += number
