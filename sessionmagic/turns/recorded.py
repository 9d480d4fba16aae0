"""What a stored session has recorded: each request that a model has answered, and the answer."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.compaction import sent_turns
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.models.difference import PROMPT
from sessionmagic.models.recording import Answer, Recording
from sessionmagic.models.said import as_compared, said_for_title, said_in, said_to_judge
from sessionmagic.turns.messages import as_history
from sessionmagic.turns.reading import read
from sessionmagic.turns.summaries import summary_message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.conversation.usage import RequestRecord
    from sessionmagic.models.difference import Said
    from sessionmagic.turns.messages import Messages

PATHS_KEPT = 32
"""Of how many paths it is kept what was said on them."""


def recording_of(session: Session, name: str) -> Recording:
    """Return what the turns of a session have recorded that `recorded_turns` returns.

    Args:
        session: The session.
        name: What the recording is called in messages.
    """
    said_in_one = cache(lambda turn_id: said_in_turn(session.turn(turn_id)))

    @lru_cache(maxsize=PATHS_KEPT)
    def before(turn_id: str | None) -> tuple[Said, ...]:
        compaction, turns = sent_turns(session.path(turn_id) if turn_id is not None else [])
        summary = said_in(as_history(summary_message(compaction))) if compaction is not None else ()
        return (*summary, *(said for turn in turns for said in said_in_one(turn.id)))

    answers = [
        replace(answer, kept=_kept(session, turn)) if turn.kind == "compaction" else answer
        for turn in recorded_turns(session)
        for answer in (*_answers(turn), *_title(turn), *_verdicts(session, turn))
    ]
    return Recording(name, answers, before)


def said_in_turn(turn: TurnRecord) -> tuple[Said, ...]:
    """Return what the messages of a turn say."""
    return said_in(read(turn).said)


def recorded_turns(session: Session) -> list[TurnRecord]:
    """Return the turns that are replayed: those on the path to the head, and the columns of comparisons on it.

    A column may come after a summary of its own.
    """
    if session.head is None:
        return list(session.turns)
    path = {turn.id for turn in session.path()}
    by_id = {turn.id: turn for turn in session.turns}
    replayed = set(path)
    for turn in session.turns:
        before = by_id.get(turn.parent or "")
        is_own = before is not None and before.kind == "compaction" and before.id not in path
        place = before.parent if is_own and before is not None else turn.parent
        if turn.column is not None and (place is None or place in path):
            replayed |= {turn.id, before.id} if is_own and before is not None else {turn.id}
    return [turn for turn in session.turns if turn.id in replayed]


def _answers(turn: TurnRecord) -> Iterator[Answer]:
    """Yield the answers of a turn. One that was stopped is none, and neither is a summary that is not sent."""
    if turn.kind == "compaction" and turn.status != "completed":
        return
    readable = read(turn)
    said, stored = readable.said, readable.messages
    records = iter([each for each in turn.requests if each.purpose == "answer" and each.model is not None])
    for place, message in enumerate(stored):
        if message["kind"] != "response":
            continue
        record = next(records, None)
        if record is None or message.get("state") == "interrupted":
            continue
        results, shown = _results(stored, place)
        own = said_in(said[:place])
        yield Answer(
            turn=turn.id,
            parent=turn.parent,
            prompt=next((each.text for each in reversed(own) if each.who == PROMPT), ""),
            reference=turn.model,
            own=own,
            settings=turn.settings,
            system=as_compared(turn.system),
            record=record,
            response=message,
            results=results,
            shown=shown,
            place=f"{turn.column.comparison} {turn.column.number}" if turn.column is not None else "",
            repeat=1 if turn.column is None else turn.column.repeat,
            told=_told(stored[place + 1 :]),
            purpose="summary" if turn.kind == "compaction" else "answer",
        )


def _title(turn: TurnRecord) -> Iterator[Answer]:
    """Yield the title that was made after a turn."""
    titles = [each for each in turn.requests if each.purpose == "title" and each.wrote]
    yield from (_aside(turn, each, said_for_title(turn.prompt)) for each in titles)


def _verdicts(session: Session, turn: TurnRecord) -> Iterator[Answer]:
    """Yield what a judge has said about the comparison that begins with a turn."""
    if not turn.verdicts:
        return
    texts = cache(lambda turn_id: transcript_of("", session.turn(turn_id), session.turns).text)
    pairs = [
        (verdict, pair)
        for verdict in turn.verdicts
        for pair in ((verdict.first, verdict.second), (verdict.second, verdict.first))
    ]
    requests = [each for each in turn.requests if each.purpose == "judge"][-len(pairs) :]  # of the latest judge
    for (verdict, (first, second)), request in zip(pairs, requests, strict=False):
        if not request.wrote:
            continue
        said = said_to_judge(turn.prompt, texts(first), texts(second))
        yield _aside(turn, request, said, system=as_compared(verdict.criteria))


def _aside(turn: TurnRecord, request: RequestRecord, said: tuple[Said, ...], system: str = "") -> Answer:
    """Return the answer to a request that is no part of the conversation."""
    usage = request.usage
    tokens = {
        "input_tokens": usage.input_tokens,
        "cache_read_tokens": usage.cached_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "output_tokens": usage.output_tokens,
    }
    return Answer(
        turn=turn.id,
        parent=None,
        prompt=said[0].text,
        reference=turn.model,
        own=said,
        settings={},
        system=system,
        record=request,
        response={
            "kind": "response",
            "parts": [{"part_kind": "text", "content": request.wrote}],
            "usage": tokens,
            "finish_reason": request.finish_reason,
        },
        results={},
        purpose=request.purpose,
    )


def _kept(session: Session, compaction: TurnRecord) -> int:
    """Return how many turns a compaction has not covered of those that were sent before it."""
    _, turns = sent_turns(session.path(compaction.parent)) if compaction.parent is not None else (None, [])
    covered = next((place for place, turn in enumerate(turns) if turn.id == compaction.covers), -1)
    return len(turns) - covered - 1


def _told(stored: Messages) -> list[str]:
    """Return what the user said to a turn before its next response."""
    requests = takewhile(lambda message: message["kind"] == "request", stored)
    parts = (part for message in requests for part in message["parts"] if part["part_kind"] == "user-prompt")
    return [part["content"] for part in parts if isinstance(part["content"], str)]


def _results(stored: Messages, place: int) -> tuple[dict[str, Any], list[Any]]:
    """Return the results of the calls in a response, and what the tools gave to the model beside them."""
    parts = stored[place + 1]["parts"] if place + 1 < len(stored) else []
    results = {part["tool_call_id"]: part for part in parts if part["part_kind"] == "tool-return"}
    prompts = [part["content"] for part in parts if part["part_kind"] == "user-prompt"]
    return results, [item for content in prompts if isinstance(content, list) for item in content]
