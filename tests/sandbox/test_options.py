"""The settings of the sandbox."""

import subprocess
import sys
from pathlib import Path
from typing import Any, get_type_hints

import attrs
import pytest

from tingting_async.sandbox import Options, Sandbox
from tingting_async.sandbox.options import choices, meanings

SETTINGS = attrs.fields(Options)
DOCS = Path(__file__).parents[2] / "docs" / "sandbox.md"


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"page_parameter": "pgae"}, "page_number"),
        ({"links": "string"}, "strings"),
        ({"page_parameter": "links"}, "links"),
        ({"past_the_end": 404}, "last"),
        ({"page_size": 0}, "page_size"),
        ({"campaigns": -1}, "campaigns"),
        ({"voice_sent": "objects"}, "object"),
        ({"unauthorized_status": 402}, "403"),
        ({"update_methods": ("FOO",)}, "update_methods.*FOO.*PATCH"),
        ({"update_methods": "PUT"}, "update_methods='PUT'"),
        ({"update_methods": (1,)}, "update_methods"),
        ({"message_methods": ("patch",)}, "message_methods.*patch.*PATCH"),
        ({"max_contacts": -3}, "max_contacts=-3"),
        ({"max_contacts": 1.5}, "max_contacts=1.5"),
        ({"no_token_status": 9999}, "no_token_status=9999"),
        ({"no_token_status": 100}, "no_token_status=100"),
        ({"access_lifetime": 1e300}, "access_lifetime"),
        ({"speed": 1e7}, "speed"),
        ({"link_base": "example"}, "link_base='example'"),
        ({"link_base": "http://a/b"}, "link_base"),
    ],
)
def test_invalid_value(options: dict[str, Any], word: str) -> None:
    """An invalid value is refused, and the error names the valid ones."""
    with pytest.raises(ValueError, match=word):
        Sandbox(**options)


@pytest.mark.parametrize("name", [field.name for field in SETTINGS])
def test_wrong_type(name: str) -> None:
    """A value of a wrong type is refused, and the error names the setting."""
    is_number = isinstance(getattr(Options(), name), int | float) and not isinstance(getattr(Options(), name), bool)
    for value in ("fast" if is_number else 3.5, object(), {"a": 1}, [{}]):
        with pytest.raises(ValueError, match=rf"^{name}\b.*is not valid"):
            Sandbox(**{name: value})


def test_unknown_option() -> None:
    """An unknown option is refused by name."""
    with pytest.raises(TypeError, match="pagesize"):
        Sandbox(pagesize=3)


def test_meanings() -> None:
    """The docstring of `Options` describes every setting, in order."""
    assert [field.name for field in SETTINGS] == list(meanings())


def row(field: "attrs.Attribute[Any]") -> str:
    """Return the row of a setting in the table of the docs."""
    known = choices(get_type_hints(Options)[field.name])
    values = [field.default, *(value for value in known if value != field.default)]
    if isinstance(field.default, bool):
        values = [field.default, not field.default]
    shown = ", ".join(f"`{value!r}`" for value in values)
    return f"| `{field.name}` | {shown} | {meanings()[field.name]} |"


def test_docs() -> None:
    """docs/sandbox.md has a table of every setting with its values, the default first, and its meaning."""
    expected = "\n".join(["| setting | values | meaning |", "|---|---|---|", *map(row, SETTINGS)])
    text = DOCS.read_text(encoding="utf-8")
    assert expected == text.partition("<!-- settings -->\n")[2].partition("\n<!-- end of settings -->")[0]


def test_help_of_the_command() -> None:
    """Each setting is an argument of the command, and the help describes it."""
    command = [sys.executable, "-P", "-m", "tingting_async.sandbox", "--help"]
    shown = " ".join(subprocess.run(command, capture_output=True, text=True, timeout=50, check=True).stdout.split())
    assert [] == [field.name for field in SETTINGS if f"--{field.name.replace('_', '-')}" not in shown]
    compact = shown.replace(" ", "")  # Help breaks lines at hyphens, too.
    assert [] == [name for name, meaning in meanings().items() if meaning.replace(" ", "") not in compact]
