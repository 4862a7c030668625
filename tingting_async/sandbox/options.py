"""The settings of the sandbox: how the service behaves if its documents do not say, and how much data it has."""

from typing import Any, Literal, get_args, get_origin, get_type_hints

import attrs

PageParameter = Literal["page", "page_number", "links"]
LinkForm = Literal["none", "strings", "objects", "page_links", "labelled"]
VoiceResponse = Literal["audio", "string", "text", "object"]
ErrorShape = Literal["strings", "fields", "bare", "detail"]


@attrs.frozen(kw_only=True)
class Options:
    """The settings of a sandbox. All times are in seconds."""

    campaigns: int = 25
    """The number of campaigns at the start."""
    numbers: int = 3
    """The number of phone numbers per campaign."""
    seed: int = 1
    """The seed. The same seed generates the same campaigns, numbers and lines."""
    keep_requests: bool = True
    """Whether `Sandbox.requests` keeps every request. Turn this off if the sandbox serves for a long time."""
    page_size: int = 10
    page_parameter: PageParameter | None = "page"
    """The query parameter that selects a page. `"links"`: one that only the links show. None: every page is page 1."""
    links: LinkForm = "none"
    """The form of `links` on a page."""
    link_base: str | None = None
    """The scheme and host of the links; None for the correct ones. Behind a TLS proxy they are often wrong."""
    repeat_page: bool = False
    """Whether every page after the first repeats the items of the previous page."""
    endless: bool = False
    """Whether every page says that there is a next one."""
    past_the_end: Literal["404", "last"] = "404"
    """The response for a page that does not exist: a 404, or the last page."""
    number_pagination: bool = False
    """Whether a campaign's numbers are paginated. The documents show them in one response."""
    envelope_errors: ErrorShape = "fields"
    """The body of a validation error: an envelope with `errors` as strings or by field, bare fields, or `detail`."""
    errors_under_200: bool = False
    """Whether validation errors in an envelope have HTTP status 200."""
    access_lifetime: float = 86_400
    refresh_lifetime: float = 7 * 86_400
    rotate_refresh: bool = False
    """Whether a refresh also issues a new refresh token and revokes the old one."""
    test_voice_response: VoiceResponse = "string"
    """The response of a voice test: the audio, or its URL as a JSON string, as plain text, or in an object."""
    add_number_response: Literal["envelope", "object"] = "envelope"
    """The response to adding a number: an envelope without the number, or with it."""

    # Of the v1 API:
    add_contact_response: Literal["message", "contact"] = "message"
    """The response to adding one contact: a message, as documented, or the contact, as the vendor's client expects."""
    update_methods: tuple[str, ...] = ("PATCH", "PUT")
    """The methods that update a campaign; others get a 405. One of the public clients needed PUT."""
    upload_method: Literal["PATCH", "POST", "NONE"] = "PATCH"
    """The method that adds a file of contacts; others get a 405. `"NONE"`: all of them do."""
    delete_response: Literal["empty", "message"] = "empty"
    """The response to deleting a campaign: an empty 204, or a message."""
    no_token_status: int = 200
    """The HTTP status of "No API token found"."""
    max_contacts: int | None = None
    """How many contacts one request can add; None for no limit."""

    def __attrs_post_init__(self) -> None:
        """Refuse invalid values: a misspelt setting would test nothing."""
        for name, kind in get_type_hints(type(self)).items():
            value, known = getattr(self, name), _settings(kind)
            if known and value not in known:
                raise ValueError(f"{name}={value!r} is not valid: use one of {', '.join(map(repr, known))}.")
        if self.page_size < 1 or self.campaigns < 0 or self.numbers < 0:
            raise ValueError("page_size must be at least 1; campaigns and numbers must be at least 0.")
        if self.page_parameter == "links" and self.links == "none":
            raise ValueError(
                'page_parameter="links" requires links: set it to "strings", "objects", "page_links" or "labelled".'
            )


def _settings(kind: Any) -> tuple[Any, ...]:
    """Return the allowed values of a setting's type; an empty tuple if the type does not list them."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    parts = get_args(kind)
    known = tuple(value for part in parts for value in _settings(part))
    return (*known, None) if known and type(None) in parts else known
