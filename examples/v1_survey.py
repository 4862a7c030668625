"""The v1 API: a survey, from its questions to its answers, on the sandbox, so nobody is called."""

import anyio

from tingting_async import File
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import ContentType, NewStep, ResponseType, Services, TingTing


async def main() -> None:
    """Ask two people for a rating."""
    async with (
        Sandbox(campaigns=0) as sandbox,
        TingTing(base_url=sandbox.url, email=sandbox.email, password=sandbox.password) as tingting,
    ):
        survey = await tingting.campaigns.create("How was it?", Services.SURVEY, lines=[1], voice=3)
        jingle = File("jingle.mp3", b"ID3 not much of a tune")
        steps = await tingting.surveys.set_steps(
            survey.id,
            [
                NewStep(content_type=ContentType.PLAY, input_name="jingle", audio_file=jingle),
                NewStep(text_or_url="१ देखि ५ सम्म", response_type=ResponseType.KEYPAD, input_name="rating"),
            ],
        )
        await tingting.contacts.add_many(survey.id, ["9800000001", "9800000002"])
        await tingting.surveys.run(survey.id)
        sandbox.clock.advance(600)
        finished = await tingting.campaigns.wait(survey.id, timeout=60)
        print(f"{finished.status}; answers:")
        assert steps[0].survey is not None  # The survey's own id, which may differ from the campaign's.
        for answer in await tingting.surveys.answers(steps[0].survey):
            print(answer["status"], answer["rating"])


if __name__ == "__main__":
    anyio.run(main)
