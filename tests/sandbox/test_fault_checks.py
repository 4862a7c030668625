"""What the sandbox refuses: a fault that never triggers would let a test pass that tests nothing."""

import math
from typing import Any

import pytest

from tingting_async.sandbox import Fault, Sandbox, every_fault, fault_script


async def _judge(_request: Any) -> bool:
    return False


@pytest.mark.parametrize(
    ("field", "value", "advice"),
    [
        ("kind", "resett", "use one of 'status'"),
        ("kind", ["reset"], "use one of 'status'"),
        ("nth", 0, "at least 1"),
        ("nth", -1, "at least 1"),
        ("nth", "1", "a whole number"),
        ("nth", True, "a whole number"),
        ("times", 0, "at least 1"),
        ("times", 1.5, "a whole number"),
        ("query", 5, "the exact query string"),
        ("query", "?page=2", "'page=2'"),
        ("method", "get", "'GET'"),
        ("method", "PSOT", "'POST'"),
        ("method", None, "'POST'"),
        ("path", "campaign", r"'\*campaign\*'"),
        ("path", "campaigns/*", "begins with '/'"),
        ("path", "", "a pattern"),
        ("path", 5, "a pattern"),
        ("path", "*/campaigns/?page=2", r"path='\*/campaigns/', query='page=2'"),
        ("where", 5, "a function"),
        ("where", _judge, "not async"),
        ("status", "x", "an HTTP status"),
        ("status", 99, "from 200 to 599"),
        ("status", 600, "from 200 to 599"),
        ("body", object(), "a JSON value"),
        ("body", {"a": {1}}, "a JSON value"),
        ("headers", {"X": 5}, "strings"),
        ("headers", {"X": "a\r\nb"}, "line breaks"),
        ("headers", [("X", "1")], "a dict"),
        ("delay", math.nan, "seconds"),
        ("delay", math.inf, "'stall'"),
        ("delay", -1, "seconds"),
        ("delay", "1", "seconds"),
        ("delay", True, "seconds"),
        ("size", -1, "at least 0"),
        ("size", 1.5, "a number of bytes"),
        ("location", "a\nb", "line breaks"),
        ("location", None, "a URL"),
    ],
)
def test_invalid_fields(field: str, value: Any, advice: str) -> None:
    """A field with which a fault would never trigger, or could not be served, is refused by name, with advice."""
    with pytest.raises(ValueError, match=rf"(?s)^{field}=.* is not valid: .*{advice}"):
        Fault(**{"kind": "status", field: value})


def test_fields_that_are_set_later() -> None:
    """A field that is changed later is checked, too."""
    fault = Fault("reset", times=1)
    with pytest.raises(ValueError, match=r"^times=-1 is not valid"):
        fault.times = -1
    with pytest.raises(ValueError, match=r"^nth=0 is not valid"):
        fault.nth = 0


def test_fault_that_is_ended() -> None:
    """`fault.times = fault.count` ends a fault, also one that has not triggered."""
    fault = Fault("reset")
    fault.times = fault.count
    assert not fault.is_waiting


def test_huge_numbers() -> None:
    """A number with too many digits to be shown is refused like others."""
    with pytest.raises(ValueError, match=r"^status=a huge number is not valid"):
        Fault("status", status=10**5000)


def test_long_values() -> None:
    """The error for a long value shows its beginning only."""
    with pytest.raises(ValueError, match=r"^headers=.* is not valid") as caught:
        Fault("status", headers={"X": "\n" * 10_000})
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    "fields",
    [
        {"method": "P*", "path": "/api/*", "query": "", "nth": 3, "times": 1},
        {"method": "[GP]*", "path": "?api/[ab]*", "where": lambda request: True},
        {"status": 599, "body": b"\xff", "headers": {}, "delay": 0.5, "size": 0, "location": "//elsewhere"},
    ],
)
def test_valid_fields(fields: dict[str, Any]) -> None:
    """Patterns, conditions and values that can have an effect are accepted."""
    fault = Fault("status", **fields)
    assert fields == {name: getattr(fault, name) for name in fields}


@pytest.mark.parametrize("kinds", ["status", (), ("resett",), ("status", "resett"), 5, [["status"]]])
def test_invalid_kinds(kinds: Any) -> None:
    """Kinds that are no list of known kinds are refused: fewer faults than expected would be injected."""
    for make in (lambda: every_fault(kinds=kinds), lambda: fault_script(1, kinds=kinds)):
        with pytest.raises(ValueError, match=r"^kinds=.* is not valid: use a list of kinds.*'reset'"):
            make()


@pytest.mark.parametrize("length", [0, -1, math.inf, 2.5, "3", True, None])
def test_invalid_length(length: Any) -> None:
    """A script must have a whole number of faults, and at least one."""
    with pytest.raises(ValueError, match=r"^length=.* is not valid: use a whole number, at least 1"):
        fault_script(1, length=length)


@pytest.mark.parametrize(
    ("argument", "value", "advice"),
    [
        ("host", None, "the address to listen on"),
        ("host", "", "the address to listen on"),
        ("host", 5, "the address to listen on"),
        ("port", "x", "from 0 to 65535"),
        ("port", 99999, "from 0 to 65535"),
        ("port", -1, "from 0 to 65535"),
        ("port", 1.5, "a whole number"),
        ("port", True, "a whole number"),
        ("port", None, "a whole number"),
    ],
)
def test_invalid_address(argument: str, value: Any, advice: str) -> None:
    """An address that the sandbox cannot listen on is refused at once, and not when it starts to serve."""
    with pytest.raises(ValueError, match=rf"^{argument}=.* is not valid: use .*{advice}"):
        Sandbox(**{argument: value})


@pytest.mark.parametrize("hosts", [None, 5])
def test_invalid_allowed_hosts(hosts: Any) -> None:
    """The allowed hosts must be a list."""
    with pytest.raises(TypeError, match=r"^allowed_hosts=.* is not valid: use a list of host names"):
        Sandbox(allowed_hosts=hosts)


def test_invalid_allowed_host() -> None:
    """An allowed host must be a name."""
    with pytest.raises(ValueError, match=r"^allowed_hosts: 5 is not a host name"):
        Sandbox(allowed_hosts=[5])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
