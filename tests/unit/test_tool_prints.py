"""What tool calls print, as events and as what is left of a call that was stopped."""

import asyncio

import pytest

from sessionmagic.conversation.events import ToolBegan, ToolPrinted, ToolReturned, Warned
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.conversation.transcript import ToolBlock
from sessionmagic.tools.functions import Tool
from sessionmagic.turns.turn import current_turn
from tests.turns import acted, acting, events_of, manager_on, on_a_loop, until

KEY = "sk-ant-" + "a1B2c3D4e5F6" * 8


@pytest.fixture
def manager(tmp_path):
    return manager_on(tmp_path)


def report(text):
    current_turn.get().report_printed(text)


def blocks_of(transcript):
    return [block for block in transcript.blocks if isinstance(block, ToolBlock)]


@on_a_loop
async def test_prints_stand_between_the_beginning_of_their_call_and_its_result(manager):
    async def count() -> str:
        """Count."""
        report("one ")
        report("two ")
        report("")
        return "done"

    _, events, _ = await acted(manager, ["Well.", ("count", {})], "Done", tools=[count], yes=True)
    told = [(event.type, event.tool) for event in events if isinstance(event, ToolBegan | ToolPrinted | ToolReturned)]
    assert told == [("tool_began", "count"), *[("tool_printed", "count")] * 2, ("tool_returned", "count")]


@on_a_loop
async def test_key_that_is_printed_in_pieces_is_left_out_and_told_once(manager):
    async def leak() -> str:
        """Leak."""
        report(f"the key {KEY[:20]}")
        report(f"{KEY[20:]} is here")
        return f"the key {KEY} is here"

    _, events, _ = await acted(manager, [("leak", {})], "Done", tools=[leak], yes=True)
    printed = "".join(event.text for event in events if isinstance(event, ToolPrinted))
    assert printed.startswith("the key ")
    assert printed.endswith(" is here")
    assert not any(KEY[:20] in str(event) or KEY[20:40] in str(event) for event in events)
    assert [event.text.count("result of leak") for event in events if isinstance(event, Warned)] == [1]


@on_a_loop
async def test_only_what_runs_counts_as_running_and_a_stop_keeps_what_was_printed(manager):
    went_on = asyncio.Event()

    async def first() -> str:
        """Wait."""
        report("step 1\r\x1b[1mstep 2\x1b[0m\n")
        await went_on.wait()
        return "first"

    async def second() -> str:
        """Wait for ever."""
        report(f"so far {KEY} \n")
        await asyncio.Event().wait()

    tools = [Tool(name=each.__name__, function=each, alone=True, source="x") for each in (first, second)]
    steps = [("first", {}), ("second", {}), ("first", {"n": 1})]
    turn, _ = await acting(manager, steps, "Done", tools=tools, yes=True)
    await until(lambda: any(block.printed for block in turn.transcript.blocks if isinstance(block, ToolBlock)))
    assert [block.is_running for block in blocks_of(turn.transcript)] == [True, False, False]
    assert blocks_of(turn.transcript)[0].printed == "step 2\n"
    went_on.set()
    await until(lambda: blocks_of(turn.transcript)[1].printed)
    assert [block.is_running for block in blocks_of(turn.transcript)][:2] == [False, True]
    turn.cancel()
    await turn.result()
    blocks = blocks_of(turn.transcript)
    ended = [(block.outcome, block.content, block.printed, block.is_running) for block in blocks]
    assert ended[0] == ("success", "first", "", False)
    assert ended[1][0] == "interrupted"
    assert ended[1][1].startswith("so far ")
    assert "interrupted" not in ended[1][1]
    assert ended[1][2:] == ("", False)
    stored = manager.sessions.load("chat")
    assert blocks_of(transcript_of("chat", stored.turns[-1]))[:2] == blocks[:2]
    assert KEY[:20] not in repr(stored) + repr(await events_of(turn))


@on_a_loop
async def test_print_after_the_end_of_its_call_is_left_out(manager):
    ended = asyncio.Event()

    async def leave() -> str:
        """Leave something running."""
        turn = current_turn.get()

        async def late():
            await until(lambda: blocks_of(turn.transcript)[0].outcome)
            report("late")
            ended.set()

        tasks.append(asyncio.ensure_future(late()))
        return "done"

    async def wait() -> str:
        """Wait."""
        await ended.wait()
        return "waited"

    tasks = []
    turn, _ = await acting(manager, [("leave", {})], [("wait", {})], "Done", tools=[leave, wait], yes=True)
    await turn.result()
    assert [block.content for block in blocks_of(turn.transcript)] == ["done", "waited"]
    assert not any(block.printed for block in blocks_of(turn.transcript))
