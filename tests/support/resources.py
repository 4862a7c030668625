"""The resources of a session, which are imported on first use."""

from functools import cached_property
from typing import Any

from tingting_async import Session


def resource_classes(session: type[Session]) -> dict[str, type[Any]]:
    """Return the class of each resource of a generation of the API, by the resource's name."""
    unused = session(api_token="token")
    return {
        name: type(getattr(unused, name)) for name, part in vars(session).items() if isinstance(part, cached_property)
    }
