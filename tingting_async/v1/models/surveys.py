"""Models of surveys."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from tingting_async.decoding.fields import Model, OpenEnum, as_model, extra_fields
from tingting_async.resources.arguments import UNCHANGED, FileLike, Unchanged
from tingting_async.v1.models.accounts import Voice
from tingting_async.v1.models.common import Confirmation


class ContentType(OpenEnum):
    """What a step of a survey does. The documents list these values and do not define them.

    Attributes:
        SAY: Reads its text aloud.
        PLAY: Plays its audio.
        INFO: Gives information.
    """

    SAY = "say"
    PLAY = "play"
    INFO = "info"


class ResponseType(OpenEnum):
    """What a step of a survey waits for. The documents list these values and do not define them.

    Attributes:
        KEYPAD: Keys pressed on the phone. The service spells the value "dtmf".
        RECORDING: A spoken answer, which is recorded. Its value in the service is "raw_record".
        NONE: Nothing.
    """

    KEYPAD = "dtmf"
    RECORDING = "raw_record"
    NONE = "none"


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class SurveyStep(Model):
    """A step of a survey or of a template (v1 documents, Surveys).

    Attributes:
        id: The step's id.
        survey: The survey's id, by which the service finds its report. The documents do not say whether it equals the
            campaign's id.
        order: The position in the survey, from 0.
        content_type: What the step does.
        text_or_url: The text that is read aloud, or the URL of the audio that is played.
        response_type: What the step waits for.
        input_name: The name of the answer in the report.
        audio_file: The URL of the audio.
        extra: Fields that this class does not name.
    """

    id: int | None = None
    survey: int | None = None
    order: int | None = None
    content_type: ContentType | None = None
    text_or_url: str | None = None
    response_type: ResponseType | None = None
    input_name: str | None = None
    audio_file: str | None = None
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class SurveyTemplate(Model):
    """A survey that can be applied to several campaigns (v1 documents, Surveys, templates).

    Attributes:
        id: The template's id.
        name: The name.
        voice: The voice that reads the texts.
        length_factor: How much slower than normal the voice speaks.
        content: The steps.
        created_at: When it was created.
        extra: Fields that this class does not name.
    """

    id: int
    name: str | None = None
    voice: Voice | None = None
    length_factor: Decimal | None = None
    content: tuple[SurveyStep, ...] = ()
    created_at: datetime | None = None
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class TemplateApplied(Confirmation):
    """The result of applying a template to a campaign, all of it or only some steps (status 207).

    Attributes:
        message, extra: As in `Confirmation`.
        steps: The steps that were created.
        errors: What the service reports as wrong with the other steps; the documents do not describe the items.
    """

    steps: tuple[SurveyStep, ...] = ()
    errors: tuple[Any, ...] = ()

    @property
    def is_confirmed(self) -> bool:
        """Whether the response says what was created."""
        return bool(self.steps or self.errors or self.message)

    @property
    def is_complete(self) -> bool:
        """Whether all steps were created."""
        return not self.errors


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class NewStep(Model):
    """A step to be created, or to be changed if it has an `id`: fields that are not given then stay as they are.

    Attributes:
        content_type: What the step does; a new step says its text.
        text_or_url: The text that is read aloud, or the URL of the audio that is played; None for none.
        response_type: What the step waits for; a new step waits for nothing.
        input_name: The name of the answer in the report, at most 128 characters; None for none.
        audio_file: The audio that is played; None for none.
        id: The id of the step in `Surveys.steps()` that this one changes; None for a new step.
    """

    content_type: ContentType | str | Unchanged = UNCHANGED
    text_or_url: str | Unchanged | None = UNCHANGED
    response_type: ResponseType | str | Unchanged = UNCHANGED
    input_name: str | Unchanged | None = UNCHANGED
    audio_file: FileLike | Unchanged | None = UNCHANGED
    id: int | None = None
