"""The settings of the sandbox."""

from typing import Any

import pytest

from tingting_async.sandbox import Sandbox


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"page_parameter": "pgae"}, "page_number"),
        ({"links": "string"}, "strings"),
        ({"page_parameter": "links"}, "links"),
        ({"past_the_end": 404}, "last"),
        ({"page_size": 0}, "page_size"),
        ({"campaigns": -1}, "campaigns"),
    ],
)
def test_invalid_value(options: dict[str, Any], word: str) -> None:
    """An invalid value is refused, and the error names the valid ones."""
    with pytest.raises(ValueError, match=word):
        Sandbox(**options)


def test_unknown_option() -> None:
    """An unknown option is refused by name."""
    with pytest.raises(TypeError, match="pagesize"):
        Sandbox(pagesize=3)
