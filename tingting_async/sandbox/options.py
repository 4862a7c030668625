"""The settings of the sandbox: how the service behaves if its documents do not say, and how much data it has."""

import inspect
import re
from typing import Any, Literal, get_args, get_origin, get_type_hints

import attrs

from tingting_async.sandbox.clock import checked_speed

PageParameter = Literal["page", "page_number", "links"]
LinkForm = Literal["none", "strings", "objects", "page_links", "labelled"]
VoiceResponse = Literal["audio", "string", "text", "object"]
VoiceForm = Literal["any", "id", "object"]
ErrorShape = Literal["strings", "fields", "bare", "detail"]
SilentResponse = Literal["message", "text", "empty"]
_METHODS = ("PATCH", "PUT", "POST")
_LONGEST = 100 * 366 * 86_400  # A hundred years, in seconds.
_TYPES = {int: "a whole number", float: "a number", bool: "True or False", str: "a string", tuple: "a list of strings"}


@attrs.frozen(kw_only=True)
class Options:
    """The settings of a sandbox. All times are in seconds.

    Attributes:
        campaigns: The number of campaigns at the start.
        numbers: The number of phone numbers per campaign.
        seed: The seed. The same seed generates the same campaigns, numbers and lines.
        speed: How many seconds of the sandbox's clock pass in a second: 1 is real time, 60 a minute in a second. With
            `math.inf` (in the command `max`), campaigns run to their end as fast as the machine can.
        keep_requests: Whether `Sandbox.requests` keeps every request. Turn this off if the sandbox serves for long.
        access_lifetime: How long an access token is valid.
        refresh_lifetime: How long a refresh token is valid.
        rotate_refresh: Whether a refresh also issues a new refresh token and revokes the old one.
        unauthorized_status: The status of the response to a token that is not valid.
        unauthorized_error: The body of that response: simplejwt's code, or one of the sentences of DRF and its plugins.
        created_status: The status of the response to a request that created something.
        delete_response: The response to a deletion, or to the release of a line: as the documents print it (an empty
            204 if they print none), always an empty 204, or always a 200 with a message.
        number_type: How phone numbers are written: as the documents print them, or always as strings or integers.
        list_order: Whether lists are sorted by a unique key, or by a key that three rows share. Rows with the same key
            then come in another order on every page.
        list_filter: Whether the service filters rows before or after it divides a list into pages. If after, some pages
            are short or empty.
        list_count: The number of rows that a page states: the right number, two too many, or two too few. A service
            that caches the number may state a wrong one.
        test_voice_response: The response of a voice test: the audio, or its URL as a JSON string, as plain text, or in
            an object.
        page_size: The classic API's number of rows on a page.
        page_parameter: The classic API's query parameter for a page. `"links"`: a parameter whose name only the links
            show. None: no parameter works, so every page is page 1.
        links: The form of `links` on a page of the classic API.
        link_base: The scheme and host of links; None for the correct ones. A service behind a TLS proxy often states
            wrong ones.
        repeat_page: Whether, in the classic API, every page after the first repeats the rows of the page before it.
        endless: Whether, in the classic API, every page says that there is a next one.
        past_the_end: The classic API's response for a page that does not exist: a 404, or the last page.
        number_pagination: Whether the classic API paginates a campaign's numbers. The documents do not say.
        envelope_errors: The body of a validation error in the classic API: an envelope whose `errors` are by field or
            are strings, the fields without an envelope, or only `detail`.
        errors_under_200: Whether validation errors in an envelope have HTTP status 200.
        add_number_response: The classic API's response to adding a number: an envelope without the number, or with it.
        update_methods: The methods that update a v1 campaign; others get a 405. One of the public clients needed PUT.
        message_methods: The methods that set a v1 campaign's voice and message; others get a 405. None: the same as
            `update_methods`.
        upload_method: The method that adds a file of v1 contacts; others get a 405. `"NONE"`: every method gets a 405.
        voice_sent: How a client must send the voice of a v1 campaign or template: in either form, by its id, or as the
            whole object. The other form gets a 400.
        voice_shown: How the v1 API shows a campaign's voice: as the documents print it (an object in lists, an id
            elsewhere), or always as one of them.
        survey_ids: Whether a v1 survey has the id of its campaign, or one of its own. Its report is found by the
            survey's id.
        step_updates: What a PATCH does with a v1 survey's steps. `"merge"`: a step that is sent with its id keeps the
            fields that are not sent, and steps that are not sent are deleted. `"keep"`: the same, but steps that are
            not sent are kept. `"replace"`: all steps are created again from what is sent, and lose their audio.
        steps_pagination: Whether the v1 API paginates a survey's steps. The documents do not say.
        silent_response: The v1 response if the documents print none (stop, demo call, test call, run of a survey,
            steps): a message in JSON, plain text, or an empty 204.
        add_contact_response: The v1 response to adding one contact: a message, as documented, or the contact, as the
            vendor's client expects it.
        add_contacts_errors: How the v1 API reports contacts that it refuses: as objects with their row, or as strings.
        max_contacts: How many contacts one v1 request can add; None for no limit.
        contact_dates: How v1 contacts show dates: as the documents print them (as text in new rows, ISO 8601 in lists),
            or always as one of them.
        empty_fields: How the v1 API shows fields of a campaign that are not set: as null, or not at all.
        last_next: The value of `next` on the last page of a v1 list.
        no_token_status: The status of the v1 response "No API token found".
        company_name_required: Whether a v1 one-time password needs `company_name`.
        test_voice_scheme: The scheme of the URL of a v1 voice test. The documents print https, which the sandbox itself
            does not serve.
    """

    campaigns: int = 25
    numbers: int = 3
    seed: int = 1
    speed: float = 1.0
    keep_requests: bool = True

    # Both generations:
    access_lifetime: float = 86_400
    refresh_lifetime: float = 7 * 86_400
    rotate_refresh: bool = False
    unauthorized_status: Literal[401, 403] = 401
    unauthorized_error: Literal["token_not_valid", "not_provided", "expired"] = "token_not_valid"
    created_status: Literal[201, 200] = 201
    delete_response: Literal["documented", "empty", "message"] = "documented"
    number_type: Literal["documented", "string", "integer"] = "documented"
    list_order: Literal["unique", "ties"] = "unique"
    list_filter: Literal["before_paging", "after_paging"] = "before_paging"
    list_count: Literal["exact", "high", "low"] = "exact"
    test_voice_response: VoiceResponse = "string"

    # The classic API:
    page_size: int = 10
    page_parameter: PageParameter | None = "page"
    links: LinkForm = "none"
    link_base: str | None = None
    repeat_page: bool = False
    endless: bool = False
    past_the_end: Literal["404", "last"] = "404"
    number_pagination: bool = False
    envelope_errors: ErrorShape = "fields"
    errors_under_200: bool = False
    add_number_response: Literal["envelope", "object"] = "envelope"

    # The v1 API:
    update_methods: tuple[str, ...] = ("PATCH", "PUT")
    message_methods: tuple[str, ...] | None = None
    upload_method: Literal["PATCH", "POST", "NONE"] = "PATCH"
    voice_sent: VoiceForm = "any"
    voice_shown: Literal["documented", "id", "object"] = "documented"
    survey_ids: Literal["campaign", "own"] = "campaign"
    step_updates: Literal["merge", "keep", "replace"] = "merge"
    steps_pagination: bool = False
    silent_response: SilentResponse = "message"
    add_contact_response: Literal["message", "contact"] = "message"
    add_contacts_errors: Literal["objects", "strings"] = "objects"
    max_contacts: int | None = None
    contact_dates: Literal["documented", "iso", "text"] = "documented"
    empty_fields: Literal["null", "missing"] = "null"
    last_next: Literal["null", "empty"] = "null"
    no_token_status: int = 200
    company_name_required: bool = False
    test_voice_scheme: Literal["https", "http"] = "https"

    def __attrs_post_init__(self) -> None:
        """Refuse invalid values: a misspelt setting would test nothing."""
        for name, kind in get_type_hints(type(self)).items():
            value, known = getattr(self, name), choices(kind)
            if known and value not in known:
                raise ValueError(f"{name}={value!r} is not valid: use one of {', '.join(map(repr, known))}.")
            if not known:
                _check_type(name, value, kind)
        for name, least in (("page_size", 1), ("campaigns", 0), ("numbers", 0), ("max_contacts", 0)):
            number = getattr(self, name)
            if number is not None and number < least:
                raise ValueError(f"{name}={number} is not valid: it must be at least {least}.")
        for name in ("access_lifetime", "refresh_lifetime"):
            if not 0 <= getattr(self, name) <= _LONGEST:
                problem = f"it must be seconds, at least 0 and at most {_LONGEST}"
                raise ValueError(f"{name}={getattr(self, name)} is not valid: {problem}.")
        checked_speed(self.speed)
        if not 200 <= self.no_token_status <= 599:
            raise ValueError(f"no_token_status={self.no_token_status} is not valid: use a status from 200 to 599.")
        for name in ("update_methods", "message_methods"):
            if wrong := [each for each in getattr(self, name) or () if each not in _METHODS]:
                raise ValueError(f"{name}: {wrong[0]!r} is not valid: use {', '.join(map(repr, _METHODS))}.")
        if self.link_base is not None and not re.fullmatch(r"https?://[^/?#\s]+", self.link_base):
            raise ValueError(
                f"link_base={self.link_base!r} is not valid: use a scheme and a host, such as 'https://example.com'."
            )
        if self.page_parameter == "links" and self.links == "none":
            raise ValueError(
                'page_parameter="links" requires links: set it to "strings", "objects", "page_links" or "labelled".'
            )


def _check_type(name: str, value: object, kind: Any) -> None:
    if value is None and is_optional(kind):
        return
    one = next(part for part in get_args(kind) if part is not type(None)) if is_optional(kind) else kind
    if get_origin(one) is tuple:
        is_valid = isinstance(value, tuple | list)
    elif one is bool or isinstance(value, bool):
        is_valid = one is bool and isinstance(value, bool)
    else:
        is_valid = isinstance(value, int | float if one is float else one)
    if not is_valid:
        raise ValueError(f"{name}={value!r} is not valid: it must be {_TYPES[get_origin(one) or one]}.")


def choices(kind: Any) -> tuple[Any, ...]:
    """Return the allowed values of a setting's type; an empty tuple if the type does not list them."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    known = tuple(value for part in get_args(kind) for value in choices(part))
    return (*known, None) if known and is_optional(kind) else known


def is_optional(kind: Any) -> bool:
    """Return whether None is a value of a setting's type."""
    return type(None) in get_args(kind)


def meanings() -> dict[str, str]:
    """Return what the docstring of `Options` says about each setting."""
    section = inspect.cleandoc(Options.__doc__ or "").partition("\nAttributes:\n")[2]
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}
