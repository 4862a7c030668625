"""The check for tags of a message or a number that the campaign does not have."""

import random

import pytest

from tingting_async import UsageError
from tingting_async.resources.arguments import require_known_tags


def test_generated_tags() -> None:
    """The error names each unknown tag once, sorted, and the campaign's own tags as they are; known tags pass."""
    chance = random.Random(14)
    for _ in range(500):
        names = [chance.choice("abcdef") + chance.choice(("", "b")) for _ in range(chance.randrange(8))]
        usable = chance.choice([None, [chance.choice("abcdef") for _ in range(chance.randrange(8))]])
        unknown = [name for name in sorted(set(names)) if name not in (usable or ())]
        if not unknown:
            require_known_tags(iter(names), usable, "tags")
            continue
        with pytest.raises(UsageError) as caught:
            require_known_tags(iter(names), usable, "tags")
        assert str(caught.value) == (
            f"`tags` uses {', '.join(unknown)}; the campaign's usable tags are: {', '.join(usable or ()) or 'none'}."
        )


def test_many_tags() -> None:
    """The error names the first twenty of many tags."""
    with pytest.raises(UsageError) as caught:
        require_known_tags([f"tag{number:03}" for number in range(123)], None, "tags")
    assert "tag018, tag019 and 103 more; the campaign's usable tags are: none." in str(caught.value)


def test_tags_that_hold_numbers() -> None:
    """The error masks a phone number in the name of a tag."""
    with pytest.raises(UsageError) as caught:
        require_known_tags(["of 9841234567"], ["9841234568"], "message")
    assert "`message` uses of …67; the campaign's usable tags are: …68." == str(caught.value)
