"""How something that has a name is recognised after it was created: by what its list showed before."""

import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, Generic, Protocol

import attrs

from tingting_async.errors import DecodeError, PaginationError
from tingting_async.http.messages import T
from tingting_async.outcomes import Creation, Look, Send
from tingting_async.pagination.page import Page
from tingting_async.pagination.paginator import Paginator
from tingting_async.resources.base import TimeoutLike
from tingting_async.resources.evidence import spaced

_LETTERS = 20
"""The minimum number of letters and digits of a name that a service keeps."""
_PLAIN = "[A-Za-z0-9]+(?: [A-Za-z0-9]+)*"
_SHORTEST = 3


def target(what: str, name: str) -> str:
    """Return the target of a creation: creations with the same target wait for each other."""
    return f"{what} named {spaced(name)[:100]}"


def plain_part(name: str) -> str | None:
    """Return the longest part of a name that a service keeps unchanged, even if it changes accents or cuts long names.

    A search for it finds everything that has this name, in any form. None if there is no such part.
    """
    letters = [index for index, character in enumerate(name) if character.isalnum()]
    start = name[: letters[_LETTERS - 1] + 1] if len(letters) >= _LETTERS else name
    longest = max(re.findall(_PLAIN, start), key=len, default="")
    return longest if len(longest) >= _SHORTEST else None


@attrs.frozen(eq=False, repr=False)
class Before:
    """What existed before a creation.

    Attributes:
        ids: The ids that were seen.
        newest: The highest id at that time; None if it is not known.
        is_complete: Whether all objects with the name were seen.
    """

    ids: frozenset[int] = frozenset()
    newest: int | None = None
    is_complete: bool = False

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "Before":
        """Make it from JSON values."""
        return cls(frozenset(found["ids"]), found["newest"], found["is_complete"])

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"ids": sorted(self.ids), "newest": self.newest, "is_complete": self.is_complete}

    def has(self, id: int) -> bool | None:
        """Return whether an object existed before; None if that is not known. Ids are assigned in increasing order."""
        if id in self.ids:
            return True
        if self.is_complete:
            return False
        return None if self.newest is None else id <= self.newest


class CampaignList(Protocol[T]):
    """The part of `Campaigns` by which a campaign is recognised."""

    @property
    def list(self) -> Callable[..., Paginator[T]]:
        """The method that lists campaigns."""
        ...

    def get(self, id: int, *, timeout: TimeoutLike = None) -> Awaitable[T]:
        """Return a campaign."""
        ...


class NamedCreation(ABC, Generic[T]):
    """Recognises a campaign that was created with an idempotency key.

    Args:
        campaigns: The resource.
        name: The name that is sent.
        timeout: The limits of each request.
    """

    what: str = "A campaign of this name"
    arguments: Mapping[str, str]
    """The arguments of `create`, by the names of the fields that are sent."""

    def __init__(self, campaigns: CampaignList[T], name: str, timeout: TimeoutLike) -> None:
        self._campaigns = campaigns
        self._name = name
        self._timeout = timeout

    def creation(self) -> Creation:
        """Return how the campaign is recognised."""
        return Creation(
            self.what,
            observe=self._observe,
            look=self._look,
            was_there=lambda campaign, found: Before.of(found).has(campaign.id) is True,
            identify=lambda campaign: str(campaign.id),
            get=lambda result: self._campaigns.get(int(result), timeout=self._timeout),
            arguments=self.arguments,
        )

    @abstractmethod
    async def _observe(self) -> Mapping[str, Any]:
        """Return what exists before the creation, as JSON values."""

    @abstractmethod
    async def _look(self, send: Send, found: Mapping[str, Any]) -> Look:
        """Return what exists now and did not exist before."""


def ids_of(rows: Iterable[Any]) -> list[int]:
    """Return the ids of rows."""
    return [row.id for row in rows]


def is_newest_first(page: Page[Any]) -> bool:
    """Return whether the rows of a page are in the order in which they were created, the newest first."""
    ids = ids_of(page.items)
    return len(ids) > 1 and all(one > other for one, other in pairwise(ids))


async def first_page(paginator: Paginator[T]) -> Page[T] | None:
    """Return the first page of a list; None if it cannot be decoded."""
    pages = paginator.pages()
    try:
        return await anext(pages, None)
    except (DecodeError, PaginationError):
        return None
    finally:
        await pages.aclose()
