"""A sound that stands for speech, so that a call can be listened to."""

import io
import math
import wave
from functools import cache

_RATE = 8000  # Samples per second.
_LONGEST = 6.0  # Seconds.
_WORD, _GAP = 0.07, 0.05  # Seconds: a letter of a word, and the pause after the word.


def speak(text: str) -> bytes:
    """Return a WAV file with a tone for each word of a text, as long as the word. It is silent if there is no text."""
    samples = bytearray()
    for word in text.split():
        if len(samples) >= _RATE * _LONGEST:
            break
        seconds = min(0.6, _WORD * len(word))
        samples += _tone(120 + 10 * (sum(map(ord, word)) % 9), seconds) + _silence(_GAP)
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(_RATE)
        file.writeframes(bytes(samples) or _silence(1.0))
    return sound.getvalue()


def _silence(seconds: float) -> bytes:
    return b"\x80" * round(_RATE * seconds)


@cache
def _cycle(pitch: int) -> bytes:
    """Return one cycle of a tone with two overtones."""
    length = _RATE // pitch
    angles = [2 * math.pi * index / length for index in range(length)]
    return bytes(round(128 + 40 * math.sin(a) + 20 * math.sin(2 * a) + 10 * math.sin(3 * a)) for a in angles)


def _tone(pitch: int, seconds: float) -> bytes:
    cycle = _cycle(pitch)
    return cycle * max(1, round(_RATE * seconds) // len(cycle))


def media_type(sound: bytes) -> str:
    """Return the media type of an audio file, by its first bytes. An unknown one is `audio/mpeg`."""
    if sound.startswith(b"RIFF"):
        return "audio/wav"
    return "audio/ogg" if sound.startswith(b"OggS") else "audio/mpeg"
