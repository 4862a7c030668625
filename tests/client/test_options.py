"""The arguments of a session: what is refused, and what the error says."""

import gc
from pathlib import Path
from typing import Any

import pytest

from tingting_async import FileTokenStore, SqliteLedger, TingTing, UsageError
from tingting_async.v1 import TingTing as TingTingV1


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"email": "e"},
        {"password": "p"},
        {"api_token": " "},
        {"api_token": "a\nb"},
        {"api_token": "t", "email": "e", "password": "p"},
        {"api_token": "t", "window": 0},
        {"api_token": "t", "window": "4"},
        {"api_token": "t", "max_in_flight": 2.5},
        {"api_token": "t", "base_url": None},
        {"api_token": "t", "timeout": None},
        {"api_token": "t", "timeout": -5},
        {"api_token": "t", "retries": None},
        {"api_token": "t", "retries": 0},
        {"api_token": "t", "max_in_flight": 0},
        {"api_token": "t", "rate": 0},
        {"api_token": "t", "rate": -1.0},
        {"api_token": "t", "rate": True},
        {"api_token": "t", "rate": "5"},
        {"api_token": "t", "rate": float("nan")},
        {"api_token": "t", "rate": float("inf")},
    ],
)
def test_invalid_values(arguments: dict[str, Any]) -> None:
    """Arguments that are invalid, or contradict each other, are refused."""
    with pytest.raises(UsageError):
        TingTing(**arguments)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"http": "session"}, "`http` must be a ClientSession, not str"),
        ({"proxy": 8080}, "`proxy` must be a str, not int"),
        ({"ssl": True}, "`ssl` must be a SSLContext, not bool"),
        ({"rate": 0}, "`rate` must be a number of requests per second above 0, not 0"),
        ({"base_url": None}, "`base_url` must be a string, not NoneType"),
        ({"base_url": "app.tingting.io"}, '`base_url` must begin with "https://", or with "http://" for this machine'),
        ({"base_url": "ftp://app.tingting.io"}, '`base_url` must begin with "https://", not with "ftp://"'),
        ({"retries": "3"}, "`retries` must be a RetryPolicy or a number of attempts, not str"),
        ({"retries": 0}, "`retries`: `attempts` must be at least 1"),
        ({"timeout": "3"}, "`timeout` must be a Timeout or a number of seconds, not str"),
        ({"api_token": None}, "TINGTING_API_TOKEN"),
    ],
)
def test_texts(options: dict[str, Any], said: str) -> None:
    """The error names the argument, and says what it must be."""
    with pytest.raises(UsageError, match=said):
        TingTing(**{"api_token": "t", **options})


def test_unknown_argument() -> None:
    """An unknown argument is a TypeError that suggests the nearest one; and no warning follows."""
    with pytest.raises(TypeError, match=r"^TingTing\(\) got .* 'windows'\. Did you mean 'window'\?$"):
        TingTing(api_token="t", windows=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"'leger'\. Did you mean 'ledger'\?"):
        TingTingV1(api_token="t", leger=None)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"'xyzzy'\. It accepts base_url, .*, telemetry\.$"):
        TingTing(xyzzy=3)  # type: ignore[call-arg]
    gc.collect()  # An error in a finalizer would fail the test.


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ledger", "sends.sqlite"),
        ("ledger", Path("sends.sqlite")),
        ("ledger", SqliteLedger),
        ("token_store", "tokens.json"),
        ("token_store", FileTokenStore),
    ],
)
def test_path_instead_of_an_object(name: str, value: Any) -> None:
    """A path or a class in place of a ledger or a token store is refused when the session is made."""
    with pytest.raises(UsageError, match=rf"`{name}` must be an object such as `\w+\(.*\)`, not"):
        TingTing(email="e", password="p", **{name: value})
