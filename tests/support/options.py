"""Random settings of the sandbox, to test the client against every behaviour that the service may have."""

from random import Random
from typing import Any, get_type_hints

from tingting_async.sandbox import Options
from tingting_async.sandbox.options import choices

_METHODS = [("PATCH",), ("PUT",), ("PATCH", "PUT")]
VALUES: dict[str, list[Any]] = {
    **{name: list(known) for name, kind in get_type_hints(Options).items() if (known := choices(kind))},
    **{name: [False, True] for name, kind in get_type_hints(Options).items() if kind is bool},
    "page_parameter": ["page", "page_number", "links"],
    "page_size": [2, 3, 10],
    "link_base": [None, "http://inside.example:8000"],
    "update_methods": _METHODS,
    "message_methods": [None, *_METHODS],
    "upload_method": ["PATCH", "POST"],
    "max_contacts": [None, 2],
    "no_token_status": [200, 404],
}
"""The values of every setting under which the client must do what it is asked to."""

# A plain iteration cannot be complete if rows come in any order, or if pages repeat or never end.
for _name in ("keep_requests", "repeat_page", "endless", "list_order", "list_filter", "list_count"):
    del VALUES[_name]


def random_options(seed: int) -> dict[str, Any]:
    """Return a random combination of settings; the same seed returns the same one."""
    random = Random(seed)
    options = {name: random.choice(values) for name, values in VALUES.items()}
    if options["page_parameter"] == "links" and options["links"] == "none":
        options["links"] = random.choice(["strings", "objects", "page_links", "labelled"])
    return options
