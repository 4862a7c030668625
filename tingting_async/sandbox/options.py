"""How the service behaves where its documents are silent or disagree, and what there is."""

from typing import Any, Literal, get_args, get_origin, get_type_hints

import attrs

PageParameter = Literal["page", "page_number", "links"]
LinkForm = Literal["none", "strings", "objects", "page_links", "labelled"]
VoiceResponse = Literal["audio", "string", "text", "object"]
ErrorShape = Literal["strings", "fields", "bare", "detail"]


@attrs.frozen(kw_only=True)
class Options:
    """The sandbox's switches. All times in seconds."""

    campaigns: int = 25
    """How many there are from the start."""
    numbers: int = 3
    """How many numbers each has."""
    seed: int = 1
    """The same seed makes the same campaigns, numbers and lines."""
    keep_requests: bool = True
    """Whether `Sandbox.requests` keeps what came in; a sandbox that serves for days has no memory for that."""
    page_size: int = 10
    page_parameter: PageParameter | None = "page"
    """Which parameter asks for a page. `"links"`: one that only they tell. None: whatever is asked, page 1 comes."""
    links: LinkForm = "none"
    """What `links` of a page holds."""
    link_base: str | None = None
    """Scheme and host of the links; None for the right ones. Behind a TLS proxy they tend to be wrong."""
    repeat_page: bool = False
    """Every page but the first repeats the items of the page before."""
    endless: bool = False
    """There is a next page for ever."""
    past_the_end: Literal["404", "last"] = "404"
    """What comes for a page that there is not."""
    number_pagination: bool = False
    """Whether a campaign's numbers are paginated; the documents print them whole."""
    envelope_errors: ErrorShape = "fields"
    """How bad input is refused: an envelope with `errors` as texts or by field, the bare fields, or a bare `detail`."""
    errors_under_200: bool = False
    """Whether refusals in an envelope come under HTTP 200."""
    access_lifetime: float = 86_400
    refresh_lifetime: float = 7 * 86_400
    rotate_refresh: bool = False
    """Whether a refresh gives a new refresh token as well, and ends the old one."""
    test_voice_response: VoiceResponse = "string"
    """What a test of the voice answers: the audio, or its URL as JSON, as plain text, or in an object."""
    add_number_response: Literal["envelope", "object"] = "envelope"
    """What adding a number answers: an envelope without the number, or with it."""

    # Of the v1 API:
    add_contact_response: Literal["message", "contact"] = "message"
    """What adding one contact answers: a message as documented, or the contact, as the vendor's own client expects."""
    update_methods: tuple[str, ...] = ("PATCH", "PUT")
    """What changes a campaign; other methods are 405. One of the public clients needed PUT."""
    upload_method: Literal["PATCH", "POST", "NONE"] = "PATCH"
    """What adds a file of contacts; other methods are 405. `"NONE"`: all are."""
    delete_response: Literal["empty", "message"] = "empty"
    """What deleting a campaign answers: 204, or a message."""
    no_token_status: int = 200
    """The status of "No API token found"."""
    max_contacts: int | None = None
    """How many contacts one request may add; None for any number."""

    def __attrs_post_init__(self) -> None:
        """Refuse what is no setting: a switch with a spelling mistake would test nothing."""
        for name, kind in get_type_hints(type(self)).items():
            value, known = getattr(self, name), _settings(kind)
            if known and value not in known:
                raise ValueError(f"{name}={value!r}: it is one of {', '.join(map(repr, known))}.")
        if self.page_size < 1 or self.campaigns < 0 or self.numbers < 0:
            raise ValueError("page_size is at least 1, campaigns and numbers are at least 0.")
        if self.page_parameter == "links" and self.links == "none":
            raise ValueError('page_parameter="links" needs `links` to say how: "strings", "objects", …')


def _settings(kind: Any) -> tuple[Any, ...]:
    """Return what a switch can be set to; nothing where its type does not tell."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    parts = get_args(kind)
    known = tuple(value for part in parts for value in _settings(part))
    return (*known, None) if known and type(None) in parts else known
