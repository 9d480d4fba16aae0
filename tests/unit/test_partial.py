"""An answer that is not complete yet is stored every few seconds, in case its process ends."""

import asyncio
import threading

from pydantic_ai.messages import BinaryContent, FilePart, PartStartEvent, TextPart

from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.conversation.transcript import ReasoningBlock, TextBlock
from sessionmagic.exceptions import StoreError
from sessionmagic.loop import in_thread
from sessionmagic.testing import call, script, think
from sessionmagic.turns.narrator import text_of
from sessionmagic.turns.partial import PAUSE_SECONDS, PartialResponse
from sessionmagic.turns.request import Request
from tests.clock import on_a_clock, passes
from tests.turns import said, until


class Dictated:
    """The model `dictated`, whose steps each say what `say` is called with, until that is nothing."""

    def __init__(self):
        self._pieces = asyncio.Queue()
        script("dictated", self._step, self._step)

    def say(self, *pieces):
        for piece in pieces:
            self._pieces.put_nowait(piece)

    async def _step(self, _messages):
        while (piece := await self._pieces.get()) is not None:
            yield piece


def stored(manager):
    """Return the blocks of the latest turn as they are stored now."""
    session = manager.sessions.load("chat")
    return list(transcript_of("chat", session.turns[-1]).blocks)


async def writes(manager, monkeypatch):
    """Return a list to which the blocks of each write are added."""
    real, written = manager.store.update, []

    def update(session_id, change):
        session = real(session_id, change)
        written.append(list(transcript_of("chat", session.turns[-1]).blocks))
        return session

    monkeypatch.setattr(manager.store, "update", update)
    return written


@on_a_clock
async def test_growing_answer_is_stored_every_few_seconds_and_only_if_it_has_grown(manager, monkeypatch):
    model = Dictated()
    turn = await manager.run("Hello", session="chat", model="dictated")
    written = await writes(manager, monkeypatch)
    for _ in range(100):
        model.say("w ")
    await said(turn)
    await until(lambda: turn.transcript.text == "w " * 100)
    assert written == []
    await passes(PAUSE_SECONDS + 0.1)
    await until(lambda: written)
    await passes(10 * PAUSE_SECONDS)
    assert written == [[TextBlock("w " * 100)]]
    model.say("and more")
    await until(lambda: "and more" in turn.transcript.text)
    await passes(PAUSE_SECONDS + 0.1)
    await until(lambda: len(written) > 1)
    assert written[1:] == [[TextBlock("w " * 100 + "and more")]]
    model.say(None)
    await turn.result()
    session = manager.sessions.load("chat")
    assert [message["kind"] for message in session.turns[-1].messages] == ["request", "response"]
    assert stored(manager) == [TextBlock("w " * 100 + "and more")]


@on_a_clock
async def test_what_was_said_after_a_call_is_stored_after_it_once(manager, tools):
    model = Dictated()
    turn = await manager.run("Hello", session="chat", model="dictated", tools=[tools.look])
    model.say(think("Hm."), "Let me see. ", call("look", at="a"), None)
    await until(lambda: len(stored(manager)) == 3)
    model.say("I see")
    await until(lambda: turn.transcript.text.endswith("I see"))
    await passes(PAUSE_SECONDS + 0.1)
    await until(lambda: len(stored(manager)) == 4)
    reasoning, text, tool, more = stored(manager)
    assert (reasoning, text, more) == (ReasoningBlock("Hm."), TextBlock("Let me see. "), TextBlock("I see"))
    assert tool.outcome == "success"
    model.say(None)
    assert (await turn.result()).text == "Let me see. \n\nI see"
    assert len(stored(manager)) == 4


@on_a_clock
async def test_answer_is_stored_once_with_the_end_of_its_turn(manager, monkeypatch):
    model = Dictated()
    turn = await manager.run("Hello", session="chat", model="dictated")
    written = await writes(manager, monkeypatch)
    model.say("One", None)
    await turn.result()
    assert written == [[TextBlock("One")]]
    assert manager.sessions.load("chat").turns[-1].status == "completed"


@on_a_clock
async def test_answer_is_stored_before_a_queued_prompt_is_answered(manager):
    model = Dictated()
    turn = await manager.run("Hello", session="chat", model="dictated")
    model.say("One")
    await said(turn)
    await manager.queue(Request(prompt="More?", session="chat"))
    model.say(None)
    await until(lambda: len(stored(manager)) == 2)
    assert stored(manager)[0] == TextBlock("One")
    model.say("Two", None)
    await turn.result()
    assert [block.text for block in stored(manager)] == ["One", "More?", "Two"]


@on_a_clock
async def test_answer_that_cannot_be_stored_yet_goes_on(manager, monkeypatch):
    model = Dictated()
    turn = await manager.run("Hello", session="chat", model="dictated")
    real, failed = manager.store.update, []

    def update(session_id, change):
        if not failed:
            failed.append(True)
            raise StoreError("the disk is full")
        return real(session_id, change)

    monkeypatch.setattr(manager.store, "update", update)
    model.say("words")
    await said(turn)
    await passes(PAUSE_SECONDS + 0.1)
    await until(lambda: failed)
    model.say(" and more", None)
    result = await turn.result()
    assert (result.status, result.text) == ("completed", "words and more")
    assert stored(manager) == [TextBlock("words and more")]


@on_a_clock
async def test_turn_that_is_stopped_ends_although_a_write_fails_at_that_moment():
    begun, goes_on, writes = threading.Event(), threading.Event(), []

    def fail():
        begun.set()
        goes_on.wait(10)
        raise StoreError("the disk is full")

    async def persist(*written):
        writes.append(written)
        await in_thread(fail)

    partial = PartialResponse(persist, [])
    partial.hear(PartStartEvent(index=0, part=TextPart("words")))
    async with partial.kept():
        await passes(PAUSE_SECONDS + 0.1)
        await until(begun.is_set)
        loop = asyncio.get_running_loop()
        loop.call_soon(goes_on.set)  # after the block has ended
        ends_at = loop.time()
    assert len(writes) == 1
    assert loop.time() - ends_at < PAUSE_SECONDS


def test_part_that_is_not_text_brings_no_text():
    picture = FilePart(BinaryContent(b"\x89PNG", media_type="image/png"))
    assert text_of(PartStartEvent(index=0, part=picture)) == ""
