"""Any sequence of turns, compactions and moves of the head keeps every turn reachable, and what is sent valid."""

import asyncio
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_ai.exceptions import ModelHTTPError

from sessionmagic import MemoryStore, Models, SessionManager, register_model
from sessionmagic.conversation.tree import ROOT, is_kept
from sessionmagic.exceptions import UsageError
from sessionmagic.testing import ScriptedModel, call, hang
from sessionmagic.turns.quotation import CONVERSATION, SUMMARY
from tests import strict
from tests.examples import examples
from tests.providers.test_sent_histories import LAB_MODEL, chat
from tests.turns import whole

ENDS = st.sampled_from(
    ["completed", "completed", "calls", "failed", "silent", "stopped", "refused", "refused after a call"]
)
SUMMARIES = st.sampled_from(["completed", "completed", "failed", "blank", "stopped"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), ENDS, SUMMARIES),
        st.tuples(st.just("compact"), SUMMARIES, st.none()),
        st.tuples(st.just("move"), st.integers(0, 40), st.none()),
    ),
    min_size=3,
    max_size=14,
)


def look(at: str) -> str:
    """Look at something."""
    return f"saw {at}"


@dataclass
class Conductor:
    """A model that ends each request as it is told."""

    end: str = "completed"
    summary: str = "completed"
    sent: list = field(default_factory=list)
    refusals: int = 0
    hangs: asyncio.Event = field(default_factory=asyncio.Event)

    def answer(self, messages):
        texts = [part.content for part in messages[-1].parts if part.part_kind == "user-prompt"]
        is_summary = any(text.startswith(CONVERSATION) for text in texts)
        self.sent.append((is_summary, messages))
        if (self.summary if is_summary else self.end) == "stopped":
            self.hangs.set()
        return self._summary() if is_summary else self._answer(messages[-1].parts[-1].part_kind == "tool-return")

    def _summary(self):
        return {
            "completed": "In short.",
            "failed": RuntimeError("it broke"),
            "blank": " ",
            "stopped": ["In ", hang()],
        }[self.summary]

    def _answer(self, is_after_call):
        refused = ModelHTTPError(400, "m", {"error": {"message": "maximum context length is 9 tokens"}})
        match self.end:
            case "completed":
                return "Fine."
            case "calls" | "refused after a call" if not is_after_call:
                return ["Let me see. ", call("look", at="it")]
            case "failed":
                return ["So ", RuntimeError("it broke")]
            case "silent":
                return RuntimeError("it broke")
            case "stopped":
                return ["So ", hang()]
            case "refused" | "refused after a call" if not self.refusals:
                self.refusals += 1
                return refused
            case _:
                return "Done."


async def play(steps):
    conductor = Conductor()
    register_model("m", ScriptedModel(conductor.answer))
    manager = SessionManager(MemoryStore(), Models("m"))
    originals = {}
    for number, (step, what, summary) in enumerate(steps):
        conductor.end, conductor.summary, conductor.refusals = "completed", summary or what, 0
        conductor.hangs.clear()
        if step == "ask":
            conductor.end = what
            await end(await manager.run(f"prompt {number}", session="chat", tools=[look], yes=True), conductor)
        elif step == "compact" and originals:
            await compact(manager, conductor)
        elif step == "move" and originals:
            move(manager, what)
        if manager.store.find("chat"):
            check(manager.sessions.load("chat"), originals)
    return conductor.sent


async def end(turn, conductor):
    """Stop the turn when its model hangs, and wait for its end."""
    if "stopped" in (conductor.end, conductor.summary):
        over = asyncio.ensure_future(turn.result())
        hangs = asyncio.ensure_future(conductor.hangs.wait())
        await asyncio.wait([over, hangs], return_when=asyncio.FIRST_COMPLETED)
        hangs.cancel()
        turn.cancel()
    await turn.result()
    whole([event async for event in turn.events()])


async def compact(manager, conductor):
    try:
        turn = await manager.compact("chat")
    except UsageError:
        return
    await end(turn, conductor)


def move(manager, what):
    turns = [turn.id for turn in manager.sessions.load("chat").turns if is_kept(turn)]
    manager.branches.move_head("chat", [ROOT, *turns][what % (len(turns) + 1)])


def check(session, originals):
    """Check that no turn has changed since it ended, and that each one can be reached from a turn that is kept."""
    session.require_whole()
    assert session.head is None or is_kept(session.turn(session.head))
    for turn in session.turns:
        assert turn.status != "running"
        assert originals.setdefault(turn.id, turn) == turn
        path = session.path(turn.id)
        assert path[-1] == turn
        assert all(is_kept(earlier) for earlier in path[:-1])
        assert turn.kind == "ask" or turn.covers in {earlier.id for earlier in path[:-1]}
    assert set(originals) == {turn.id for turn in session.turns}


def check_sent(messages, *, is_summary):
    """Check that a request is valid for every server, and that a summary stands only at its beginning."""
    sent = chat(LAB_MODEL, messages)
    assert [refusal for family in strict.FAMILIES if (refusal := family(sent))] == []
    texts = [message["content"] for message in sent if message["role"] == "user"]
    assert not any(text.startswith((SUMMARY, CONVERSATION)) for text in texts[1:])
    assert not is_summary or len(texts) == 1
    prompts = [int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith("prompt ")]
    assert prompts == sorted(set(prompts))
    assert prompts or is_summary


@settings(max_examples=examples(40))
@given(STEPS)
def test_every_turn_stays_reachable_and_what_is_sent_is_valid(steps):
    for is_summary, messages in asyncio.run(asyncio.wait_for(play(steps), 60)):
        check_sent(messages, is_summary=is_summary)
