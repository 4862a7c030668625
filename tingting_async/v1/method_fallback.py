"""Operations whose request the documents print in several forms: PATCH or PUT, a voice as an id or as an object."""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, cast

import attrs

from tingting_async.client.core import Core
from tingting_async.errors import ApiError, UsageError
from tingting_async.http.messages import Request, T
from tingting_async.resources.base import Resource
from tingting_async.v1.campaign_fields import voice_id, voice_object
from tingting_async.v1.models.accounts import Voice
from tingting_async.v1.voices import Voices


class OtherForm:
    """Another form of a request.

    Attributes:
        name: What is different, such as "method". The form that the service accepts is remembered under this name.
        is_wanted: Return whether a refusal says that the service expects the other form.
        apply: Return a request in this form.
    """

    def __init__(
        self,
        name: str,
        is_wanted: Callable[[ApiError], bool],
        apply: Callable[[Request[Any]], Awaitable[Request[Any]]],
    ) -> None:
        self.name: str = name
        self.is_wanted: Callable[[ApiError], bool] = is_wanted
        self.apply: Callable[[Request[Any]], Awaitable[Request[Any]]] = apply


class MethodFallback(Resource):
    """A resource that remembers, for each of its operations, the form of the request that the service accepts.

    One public client found that a campaign's fields and its message need different methods, so what works for one
    operation says nothing about another.
    """

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self._accepted: dict[str, frozenset[str]] = {}
        """The names of the other forms that the service accepts, by operation."""

    async def _execute(self, request: Request[T], *others: OtherForm) -> T:
        """Execute a request, and again in another form if the service refuses it for its form: nothing was done then.

        Args:
            request: The request, in the form that the documents name.
            others: The other forms that it can have. They can be combined.

        Raises:
            ApiError: The request was refused. If both forms are refused for their form, the first refusal.
        """
        chosen = self._accepted.get(request.operation, frozenset())
        refusals: dict[str, ApiError] = {}
        while True:
            sent = request
            for other in others:
                if other.name in chosen:
                    sent = await other.apply(sent)
            try:
                result = await self._core.execute(sent)
            except ApiError as error:
                wanted = next((other.name for other in others if other.is_wanted(error)), None)
                if wanted is None:
                    raise
                if wanted in refusals:
                    raise refusals[wanted] from None
                refusals[wanted] = error
                # The form of this very request decides: another task may have changed the remembered one since.
                chosen ^= {wanted}
            else:
                if refusals:
                    self._accepted[request.operation] = chosen
                return result

    def _voice_forms(self, voice: Voice | int | None) -> tuple[OtherForm, ...]:
        """Return the other form of a request with this voice: with the whole object, not only its id."""
        if voice is None:
            return ()

        async def apply(request: Request[Any]) -> Request[Any]:
            return _with_voice(request, voice_object(await self._whole_voice(voice, request)))

        return (OtherForm("voice", _wants_other_voice, apply),)

    async def _whole_voice(self, voice: Voice | int, request: Request[Any]) -> Voice:
        """Return a voice with its names. If only the id is known, the service's list of voices is requested."""
        if isinstance(voice, Voice) and voice.internal_name is not None:
            return voice
        wanted = voice_id(voice)
        async for found in Voices(self._core).list(timeout=request.timeout):
            if found.id == wanted:
                return found
        raise UsageError(
            f"{request.operation}: the service expects the whole voice, and voices.list() has none with the id "
            f"{wanted}. Nothing was changed. Give one of its voices."
        )


def other_method(method: str) -> OtherForm:
    """Return the form of a request with another HTTP method, for a 405."""

    async def apply(request: Request[Any]) -> Request[Any]:
        return attrs.evolve(request, method=method)

    return OtherForm("method", lambda error: error.status == 405, apply)


_ABOUT_TYPE = r"expect|dict|object|instance|json|type|integer|number|string|pk|invalid data"
_ABOUT_EXISTENCE = r"exist|not found|language"


def _wants_other_voice(error: ApiError) -> bool:
    """Return whether a refusal says that the voice must be an object and not an id, or the other way round.

    Django REST framework says "Expected a dictionary, but got int.", "Incorrect type. Expected pk value, received
    dict." or "A valid integer is required.".
    """
    if error.status != 400:
        return False
    texts = error.field_errors.get("voice") or ([error.message] if "voice" in error.message.lower() else [])
    text = " ".join(texts).lower()
    return re.search(_ABOUT_TYPE, text) is not None and re.search(_ABOUT_EXISTENCE, text) is None


def _with_voice(request: Request[Any], voice: dict[str, Any]) -> Request[Any]:
    if request.form:
        as_text = json.dumps(voice, ensure_ascii=False)
        fields = tuple((name, as_text if name == "voice" else value) for name, value in request.form)
        return attrs.evolve(request, form=fields)
    return request.with_json({**cast("dict[str, Any]", request.json), "voice": voice})
