"""What the v1 API answers of surveys, as values."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from tingting_async.decoding.fields import OpenEnum, extra_fields
from tingting_async.resources.arguments import FileLike
from tingting_async.v1.models.accounts import Voice
from tingting_async.v1.models.common import Confirmation


class ContentType(OpenEnum):
    """What a step of a survey does."""

    SAY = "say"
    PLAY = "play"
    INFO = "info"


class ResponseType(OpenEnum):
    """What a step of a survey waits for."""

    KEYPAD = "dtmf"
    RECORDING = "raw_record"
    NONE = "none"


@attrs.frozen(kw_only=True)
class SurveyStep:
    """A step of a survey, or of a template (v1 documents, Surveys)."""

    id: int | None = None
    survey: int | None = None
    """The campaign's id."""
    order: int | None = None
    """Its place, from 0."""
    content_type: ContentType | None = None
    text_or_url: str | None = None
    """What is said or played."""
    response_type: ResponseType | None = None
    input_name: str | None = None
    """What the answer is called in the report."""
    audio_file: str | None = None
    """A URL."""
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True)
class SurveyTemplate:
    """A survey to be used again (v1 documents, Surveys, templates)."""

    id: int
    name: str | None = None
    voice: Voice | None = None
    length_factor: Decimal | None = None
    content: tuple[SurveyStep, ...] = ()
    created_at: datetime | None = None
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True)
class TemplateApplied(Confirmation):
    """A template that was made into a survey's steps, perhaps not all of them (207)."""

    steps: tuple[SurveyStep, ...] = ()
    """Those that were made."""
    errors: tuple[Any, ...] = ()
    """What is wrong with those that were not."""

    @property
    def is_confirmed(self) -> bool:
        """Whether it says what was made."""
        return bool(self.steps or self.errors or self.message)

    @property
    def is_complete(self) -> bool:
        """Whether all steps were made."""
        return not self.errors


@attrs.frozen(kw_only=True)
class NewStep:
    """A step to be made."""

    content_type: ContentType | str = ContentType.SAY
    text_or_url: str = ""
    """What is said or played."""
    response_type: ResponseType | str = ResponseType.NONE
    input_name: str = ""
    """What the answer is called in the report; at most 128 characters."""
    audio_file: FileLike | None = None
    """What is played."""
    id: int | None = None
    """Which step of `Surveys.steps` this one is to become; None for a step that is new."""
