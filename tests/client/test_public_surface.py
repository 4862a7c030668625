"""What a session shows its users: its public names, its help, and what it says about the usual slips."""

import gc
import inspect
import subprocess
import sys
from typing import Any

import anyio
import pytest

import tingting_async
import tingting_async.v1
from tingting_async import MisuseError, SessionClosedError, UsageError

GENERATIONS = [tingting_async.TingTing, tingting_async.v1.TingTing]
SETTINGS = {"aclose", "base_url", "from_env", "requests_sent", "subscribe"}
RESOURCES = {
    tingting_async.TingTing: {"accounts", "campaigns", "numbers", "otp", "phone_numbers"},
    tingting_async.v1.TingTing: {
        "accounts",
        "campaigns",
        "contacts",
        "dashboard",
        "otp",
        "phone_numbers",
        "reports",
        "survey_templates",
        "surveys",
        "voices",
    },
}


def public(kind: type) -> set[str]:
    """Return the names of a class that have no leading underscore."""
    return {name for name in dir(kind) if not name.startswith("_")}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_public_attributes(generation: type) -> None:
    """Nothing but resources, settings and lifecycle is public on a session, on the class and on an instance."""
    expected = SETTINGS | RESOURCES[generation]
    assert expected == public(generation)
    assert expected == {name for name in dir(generation(api_token="t")) if not name.startswith("_")}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_help_names_each_resource(generation: type) -> None:
    """`help(TingTing)` describes each resource in a line of its own, and each resource's property has a docstring."""
    text = inspect.getdoc(generation) or ""
    for name in RESOURCES[generation]:
        assert f"- `{name}`: " in text
        assert inspect.getdoc(inspect.getattr_static(generation, name))


@pytest.mark.parametrize(
    ("here", "there", "module"),
    [(GENERATIONS[0], GENERATIONS[1], "tingting_async.v1"), (GENERATIONS[1], GENERATIONS[0], "tingting_async")],
)
def test_words_of_the_other_generation(here: Any, there: type, module: str) -> None:
    """A resource that only the other generation has is an AttributeError that says which import has it."""
    tingting = here(api_token="t")
    for name in RESOURCES[there] - RESOURCES[here]:
        with pytest.raises(AttributeError, match=f"has no attribute '{name}'.*from {module} import TingTing`"):
            getattr(tingting, name)


@pytest.mark.parametrize(
    ("here", "there", "module"),
    [(GENERATIONS[0], GENERATIONS[1], "tingting_async.v1"), (GENERATIONS[1], GENERATIONS[0], "tingting_async")],
)
def test_operations_of_the_other_generation(here: Any, there: Any, module: str) -> None:
    """An operation that only the other generation has is an AttributeError that says which import has it."""
    ours, theirs = here(api_token="t"), there(api_token="t")
    pairs = [(getattr(ours, name), getattr(theirs, name)) for name in RESOURCES[here] & RESOURCES[there]]
    counterparts = {"numbers": "contacts", "contacts": "numbers"}
    pairs += [(getattr(ours, a), getattr(theirs, b)) for a, b in counterparts.items() if a in RESOURCES[here]]
    for mine, other in pairs:
        for name in public(type(other)) - public(type(mine)):
            with pytest.raises(AttributeError, match=f"no attribute '{name}'.*from {module} import TingTing`"):
                getattr(mine, name)


def test_unknown_attribute() -> None:
    """A name that is close to one is an AttributeError whose own text suggests that one; for others, see below."""
    with pytest.raises(AttributeError) as caught:
        _ = tingting_async.TingTing(api_token="t").campagnes  # type: ignore[attr-defined]
    assert str(caught.value) == "'TingTing' object has no attribute 'campagnes'. Did you mean 'campaigns'?"
    assert caught.value.name == "campagnes"


def test_property_that_raises_an_attribute_error() -> None:
    """A property of a subclass that raises an AttributeError is not said to be missing and meant at the same time."""

    class Ours(tingting_async.TingTing):
        @property
        def tenant(self) -> str:
            raise AttributeError

    with pytest.raises(AttributeError, match=r"'tenant': computing it raised an AttributeError$"):
        _ = Ours(api_token="t").tenant


@pytest.mark.parametrize(
    ("mistake", "meant"),
    [
        ("tingting_async.v1.TingTing(api_token='t').campaign", "campaigns"),
        ("tingting_async.v1.TingTing(api_token='t').campaigns.lists", "list"),
        ("tingting_async.v1.Campain", "Campaign"),
    ],
)
def test_suggestion_in_a_traceback(mistake: str, meant: str) -> None:
    """A traceback shows the suggestion once: Python does not add its own to that of the text."""
    command = [sys.executable, "-W", "ignore", "-P", "-c", f"import tingting_async.v1; {mistake}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert 1 == done.stderr.count("Did you mean")
    assert f". Did you mean '{meant}'?" == last[last.index(". Did you mean") :]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_names_of_an_object(generation: Any) -> None:
    """A name that is close to none is an AttributeError that lists the names there are."""
    with pytest.raises(AttributeError, match=r"no attribute 'xyz'\. It has .*create, delete, get, .*run.*[a-z]\.$"):
        _ = generation(api_token="t").campaigns.xyz


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("given", [("a@b.c", "x"), ("https://a",)])
def test_positional_arguments(generation: Any, given: tuple[str, ...]) -> None:
    """Positional arguments of a session are a MisuseError that says to name them, and shows none of them."""
    with pytest.raises(MisuseError, match="write `TingTing\\(email=…, password=…\\)`") as caught:
        generation(*given)
    assert given[0] not in str(caught.value)


@pytest.mark.anyio
@pytest.mark.parametrize("generation", GENERATIONS)
async def test_misspelt_argument(generation: Any) -> None:
    """A misspelt argument of an operation is Python's TypeError with the nearest name."""
    tingting = generation(api_token="t")
    with pytest.raises(TypeError, match=r"'timeot'\. Did you mean '?timeout'?\?$"):
        await tingting.campaigns.get(1, timeot=1)
    with pytest.raises(TypeError, match=r"'shedule'\. Did you mean '?schedule'?\?$"):
        await tingting.campaigns.run(1, shedule=1)
    with pytest.raises(TypeError) as caught:
        await tingting.campaigns.get(1, xyz=1)
    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_plain_with(generation: Any) -> None:
    """`with` instead of `async with` says so, in an error that is a TypeError as well."""
    with pytest.raises(MisuseError, match="`async with TingTing") as caught, generation(api_token="t"):
        pass
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, UsageError)


async def test_closed_or_unused(anyio_backend: str, recwarn: pytest.WarningsRecorder) -> None:
    """A session that was closed, or never used, is collected without a warning."""
    async with tingting_async.TingTing(api_token="t") as tingting:
        pass
    unused = tingting_async.TingTing(api_token="t")
    del tingting, unused
    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize("generation", GENERATIONS)
def test_trio(generation: Any) -> None:
    """Under trio, opening a session, a request and a list say that they need asyncio or uvloop."""

    async def open_session() -> None:
        async with generation(api_token="t"):
            pass

    async def iterate() -> None:
        async for _ in generation(api_token="t").campaigns.list():
            pass

    async def collect() -> None:
        await generation(api_token="t").campaigns.list().collect()

    async def request() -> None:
        await generation(api_token="t").accounts.user_details()

    for program in (open_session, iterate, collect, request):
        with pytest.raises(MisuseError, match="asyncio and uvloop, not on trio"):
            anyio.run(program, backend="trio")


def test_two_event_loops() -> None:
    """A session that was used in one event loop is refused in another."""
    tingting = tingting_async.TingTing(api_token="t")

    async def use() -> None:
        async with tingting:
            pass

    async def open_only() -> None:
        await tingting.__aenter__()

    anyio.run(open_only)
    with pytest.raises(SessionClosedError, match="another event loop"):
        anyio.run(open_only)
    anyio.run(tingting.aclose)
