"""What the people that a campaign reaches hear and read."""

from collections.abc import Mapping
from typing import Any

import attrs

from tingting_async.sandbox.records import Campaign


@attrs.frozen
class Content:
    """What a person hears: a text with its placeholders, or the audio file that is played, or both."""

    template: str
    recording: bytes | None = None


def spoken(campaign: Campaign, uploads: Mapping[str, bytes]) -> Content:
    """Return what a call of a campaign says.

    Args:
        campaign: The campaign. A survey says its steps, one on a line.
        uploads: The uploaded audio files by the last part of their URL.
    """
    if campaign.services == "SURVEY":
        recordings = (_uploaded(step.get("audio_file"), uploads) for step in campaign.steps)
        texts = (str(step.get("text_or_url") or "") for step in campaign.steps)
        return Content("\n".join(filter(None, texts)), next(filter(None, recordings), None))
    if campaign.audio_file and (campaign.category == "Audio" or not campaign.message):
        return Content("", _uploaded(campaign.audio_file, uploads))
    # A test call of a campaign that only texts reads its text out.
    return Content(campaign.sms_message if campaign.services == "SMS" else campaign.message)


def _uploaded(url: Any, uploads: Mapping[str, bytes]) -> bytes | None:
    return uploads.get(str(url).rpartition("/")[2]) if url else None
