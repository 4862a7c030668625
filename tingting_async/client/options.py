"""Options that are either on or off: their check, which the session and all operations share."""

from tingting_async.errors import UsageError
from tingting_async.quantities import shown


def require_bool(value: object, name: str) -> None:
    """Refuse a value that is neither True nor False, such as "false" from the environment, which counts as true.

    Raises:
        UsageError: It is something else.
    """
    if not isinstance(value, bool):
        raise UsageError(f"`{name}` is {shown(value)}; it must be True or False.")
