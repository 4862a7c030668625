"""The options that every list accepts."""

from typing import Any

import pytest
from support.v1 import connect

from tingting_async import PaginationError, TingTing, TransportError, UsageError
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import TingTing as TingTingV1

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda to: to.campaigns.list(windw=1), r"campaigns\.list\(\) .* 'windw'\. Did you mean 'window'\?"),
        (lambda to: to.campaigns.list(serch="a"), r"'serch'\. Did you mean 'search'\?"),
        (lambda to: to.campaigns.list(xyzzy=2), r"'xyzzy'\. It accepts changed_from, .* window\."),
        (lambda to: to.campaigns.list(limit=5), r"'limit'\. To get the first five items, write `\.collect\(5\)`"),
        (lambda to: to.campaigns.list(page=2), r"'page'\. The pages are requested as needed\. .* write `\.pages\(\)`"),
        (lambda to: to.contacts.list(1, page_size=50), r"'page_size'\. The pages are requested as needed"),
        (lambda to: to.otp.list(offset=10), r"'offset'\. The pages are requested as needed"),
        (lambda to: to.contacts.list(1, timout=1), r"contacts\.list\(\) .* 'timout'\. Did you mean 'timeout'\?"),
        (lambda to: to.contacts.list(1, campain_id=1), r"Did you mean 'campaign_id'\?"),
        (lambda to: to.otp.list(exakt=True), r"otp\.list\(\) .* 'exakt'\. Did you mean 'exact'\?"),
        (lambda to: to.survey_templates.list(pagesize=5), r"'pagesize'\. Did you mean 'page_size'\?"),
    ],
)
async def test_unknown_option_of_v1(call: Any, message: str) -> None:
    """An unknown option is a TypeError at once; it suggests the nearest option or argument of the list."""
    async with TingTingV1(api_token="key") as tingting:
        with pytest.raises(TypeError, match=message):
            call(tingting)


@pytest.mark.parametrize(
    "call",
    [
        lambda to: to.campaigns.list(windw=1),
        lambda to: to.numbers.list(1, windw=1),
        lambda to: to.phone_numbers.owned(windw=1),
        lambda to: to.phone_numbers.for_sale(windw=1),
    ],
)
async def test_unknown_option_of_classic(call: Any) -> None:
    """The lists of the classic API refuse unknown options in the same way."""
    async with TingTing(api_token="key") as tingting:
        with pytest.raises(TypeError, match=r"'windw'\. Did you mean 'window'\?"):
            call(tingting)


async def test_window() -> None:
    """`window` reaches the paginator, which refuses a window below 1."""
    async with TingTingV1(api_token="key") as tingting:
        with pytest.raises(UsageError, match="window"):
            tingting.campaigns.list(window=0)


async def test_timeout() -> None:
    """`timeout` limits each page request."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        with pytest.raises(TransportError):
            await tingting.campaigns.list(timeout=1e-6).collect()


async def test_exact() -> None:
    """`exact` reads the list a second time."""
    async with Sandbox(campaigns=25) as sandbox, connect(sandbox) as tingting:
        assert 25 == len(await tingting.campaigns.list(exact=True).collect())
        assert len(sandbox.requests) >= 6


async def test_max_cost() -> None:
    """`max_cost` limits the requests of an exact iteration."""
    async with Sandbox(campaigns=25) as sandbox, connect(sandbox) as tingting:
        with pytest.raises(PaginationError, match=r"`max_cost` \(1\) is used up"):
            await tingting.campaigns.list(exact=True, max_cost=1).collect()
        with pytest.raises(UsageError, match="`max_cost` limits an exact iteration"):
            tingting.campaigns.list(max_cost=2)


async def test_resume() -> None:
    """`resume` continues after the page of an earlier iterator's token."""
    async with Sandbox(campaigns=25) as sandbox, connect(sandbox) as tingting:
        ids = [campaign.id async for campaign in tingting.campaigns.list()]
        iterator: Any = aiter(tingting.campaigns.list())
        for _ in range(12):
            await anext(iterator)
        assert ids[12:] == [campaign.id async for campaign in tingting.campaigns.list(resume=iterator.resume_token)]


@pytest.mark.parametrize("name", ["limit", "page"])
async def test_paging_arguments_of_classic(name: str) -> None:
    """The lists of the classic API say as well what to write instead of a limit or a page."""
    async with TingTing(api_token="key") as tingting:
        for call in (tingting.campaigns.list, lambda **given: tingting.numbers.list(1, **given)):
            with pytest.raises(TypeError, match=rf"'{name}'\. .*`\.(collect\(5\)|pages\(\))`"):
                call(**{name: 5})


async def test_the_hints_work() -> None:
    """What the errors for a limit and a page say to write is accepted."""
    async with Sandbox(campaigns=25) as sandbox, connect(sandbox) as tingting:
        assert 5 == len(await tingting.campaigns.list().collect(5))
        assert [10, 10, 5] == [len(page.items) async for page in tingting.campaigns.list().pages()]
