"""Requests and responses as values, without a socket."""

import json
from typing import Any

import attrs
import pytest
from support.messages import request, response

from tingting_async import errors
from tingting_async.http.messages import Effect, File, excerpt, format_path
from tingting_async.http.timeouts import Timeout
from tingting_async.redaction import hide_repr, mask, mask_repr, redact

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOjF9.c2lnbmF0dXJl"


def test_multipart_fields() -> None:
    """A list becomes several fields of the same name."""
    form = request().with_form({"name": "n", "status": ["a", "b"]}, {"file": File("f", b"c")}).form
    assert form == (("name", "n"), ("status", "a"), ("status", "b"), ("file", File("f", b"c")))


def test_hooks() -> None:
    """A request with hooks is the same request otherwise."""

    async def before_send() -> None: ...

    def before_first_byte() -> None: ...

    def without_effect() -> None: ...

    bare = request(json={"number": "9800000001"}, send_target="campaign 7", secrets=("t",), allows_empty_body=True)
    hooks: Any = {
        "before_send": before_send,
        "before_first_byte": before_first_byte,
        "without_effect": without_effect,
    }
    assert attrs.evolve(bare, **hooks) == bare.replaced(**hooks)
    assert bare.before_send is bare.before_first_byte is bare.without_effect is None


def test_query() -> None:
    """The query is encoded."""
    assert request().query == ""
    assert request(params=(("search", "क &"), ("page", "2"))).query == "search=%E0%A4%95+%26&page=2"


def test_timeout() -> None:
    """A number as `timeout` limits the whole call."""
    assert request(timeout=3).timeout == Timeout(total=3.0)
    assert request(timeout=Timeout(connect=1)).timeout == Timeout(connect=1)
    assert request().timeout is None


@pytest.mark.parametrize("name", ["pool", "connect", "attempt", "total"])
@pytest.mark.parametrize("seconds", [0, -1, float("nan"), "3", True])
def test_invalid_limits(name: str, seconds: Any) -> None:
    """A limit that is not a positive number of seconds is refused; the error names it."""
    with pytest.raises(errors.UsageError, match=f"`timeout`: {name}="):
        Timeout(**{name: seconds})


def test_limit_of_the_whole_call() -> None:
    """The whole call must have a limit; its phases need none."""
    assert Timeout(pool=None, connect=None, attempt=None).total == 120
    with pytest.raises(errors.UsageError, match="`timeout`: total=None"):
        Timeout(total=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("9800000001 of campaign 12 deleted", "…01 of campaign 12 deleted"),
        ("call +977 980-000-0001!", "call +…01!"),
        ("९८०००००००१", "…०१"),
        ("Bearer abc.def", "[secure]"),
        ("token eyJhbGciOi.eyJ0b2.c2ln x", "token [secure] x"),
        ("key 7acbdcd5619e4b9eaaad8e41dabb7032", "key [secure]"),
        ("your otp is 1 2 3 4 5", "your otp is …"),
        ("कोड ४८२९१७", "कोड …"),
        ("3 credits on 2026-11", "3 credits on 2026-11"),
    ],
)
def test_redaction(text: str, shown: str) -> None:
    """Phone numbers, tokens and codes are masked, in any script; other short numbers are not."""
    assert redact(text) == shown


def test_masked_and_hidden_fields() -> None:
    """A masked field shows at most two digits; a hidden field shows only whether it has a value."""
    assert (mask("9800000001"), mask(9800000001), mask("12345")) == ("…01", "…01", "…")
    assert (mask_repr("9800000001"), mask_repr(None)) == ("'…01'", "None")
    assert (hide_repr("x"), hide_repr(None), hide_repr("")) == ("'[secure]'", "None", "''")
    shown = repr(request(json={"a": 1}, params=(("a", "b"),), headers={"Authorization": "x"}, secrets=("s",)))
    assert not {"Authorization", "'a'", "'s'"} & set(shown.split())


@pytest.mark.parametrize(
    ("effect", "is_safe", "is_idempotent"),
    [
        (Effect.READ, True, True),
        (Effect.UPDATE, False, True),
        (Effect.CREATE, False, False),
        (Effect.SEND, False, False),
        (Effect.REVOKE, False, False),
    ],
)
def test_effects(effect: Effect, is_safe: bool, is_idempotent: bool) -> None:
    """An effect says whether it is safe and whether it is idempotent, in the words of HTTP."""
    assert (is_safe, is_idempotent) == (effect.is_safe, effect.is_idempotent)


@pytest.mark.parametrize("secret", ['pa"ss\\word', "पासवर्ड", "tab\tin"])
@pytest.mark.parametrize("escaped", [True, False])
def test_secret_in_an_undecoded_body(secret: str, escaped: bool) -> None:
    """A secret is masked in an undecoded JSON body, too, escaped or not."""
    body = json.dumps({"password": secret}, ensure_ascii=escaped).encode()
    shown = excerpt(request(secrets=(secret,)), response(body))
    assert shown == '{"password": "[secure]"}'


def test_empty_secret() -> None:
    """An empty secret masks nothing."""
    assert request(secrets=("",)).redact("as it is") == "as it is"


def test_excerpt() -> None:
    """An excerpt is one short line without digits and tokens, and without half a secret at its end."""
    assert excerpt(request(), response(b" a\r\n\tb\xc2\xa0c \xff")) == "a b c \ufffd"
    assert excerpt(request(), response(b"code 12345 " + TOKEN.encode())) == "code … [secure]"
    long = excerpt(request(), response(b"x" * 10**6))
    assert (len(long), long[-1]) == (200, "…")
    cut = excerpt(request(secrets=("hunter2",)), response(b"a" + b" " * 3193 + b"hunter2 and more"))
    assert cut == "a"


def test_format_path() -> None:
    """A path is written like the Python code that follows it."""
    assert format_path(("result", "campaign-lists", 3, "id")) == "result.campaign-lists[3].id"
    assert format_path(()) == ""


def test_request_as_a_value() -> None:
    """The repr of a request shows neither body, query nor headers; the query is encoded."""
    built = request(params=(("q", "a b"), ("q", "ü")), headers={"Authorization": TOKEN}, timeout=3)
    assert built.query == "q=a+b&q=%C3%BC"
    assert request().query == ""
    assert Timeout(total=3) == built.timeout
    sheet = File("a.xlsx", b"PK")
    form = built.with_form({"name": "n", "status": ["failed", "hungup"], "id": 7}, {"file": sheet})
    assert form.form == (("name", "n"), ("status", "failed"), ("status", "hungup"), ("id", "7"), ("file", sheet))
    assert built.with_json({"a": 1}).json == {"a": 1}
    shown = repr([form, built.with_json({"a": TOKEN}), response(b"hunter2", X="hunter2")])
    assert [secret for secret in ("PK", "hunter2", "eyJ", "a b") if secret in shown] == []
