"""The valid name that a misspelt one may stand for."""

from collections.abc import Collection


def nearest_name(unknown: str, names: Collection[str]) -> str | None:
    """Return the valid name that is nearest to an unknown one; None if none is near."""
    try:
        from difflib import get_close_matches  # noqa: PLC0415 - only for mistakes
    except Exception:  # noqa: BLE001 - e.g. no file can be opened; the error that asks must not be lost
        return None
    return next(iter(get_close_matches(unknown, names, n=1)), None)


def suggest_name(unknown: str, names: Collection[str]) -> str:
    """Return a sentence that names the valid name that is nearest to an unknown one, or else all valid names."""
    near = nearest_name(unknown, names)
    return f"Did you mean {near!r}?" if near else f"It accepts {', '.join(names)}."
