"""The title of a session: a model makes it from what the user typed, after the first turn that was answered.

The session has the first words of its prompt as its title from the beginning. They stay if the model cannot be asked,
and when the model is the embedded one or a script. The request runs after the turn has released its session. It holds
up nothing, and what it finds out is written only to the session as it then is.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.conversation.session import title_of
from sessionmagic.conversation.tree import with_changed_turn
from sessionmagic.conversation.usage import total
from sessionmagic.exceptions import SessionMagicError, TurnTimeoutError
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.loop import in_thread
from sessionmagic.turns.group import open_group
from sessionmagic.words import between_words, printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic_ai.messages import ModelMessage

    from sessionmagic.conversation.column import Column
    from sessionmagic.conversation.session import Session
    from sessionmagic.conversation.usage import RequestRecord
    from sessionmagic.models.catalog import Models
    from sessionmagic.models.resolved import ResolvedModel
    from sessionmagic.storage.store import Store
    from sessionmagic.turns.admitted import Admitted

SECONDS = 30.0
"""How long a model may take for a title."""
TYPED_LENGTH = 2_000
"""Characters of the prompt that are sent for a title."""
MAX_TOKENS = 300
"""Enough for a title and the reasoning before it, which some models cannot leave out."""
INSTRUCTIONS = (
    "Write a title for a conversation that begins with the user's message: at most 50 characters, on one line, in the "
    "language of the message, without quotation marks or markup. Do not answer the message. Write the title only."
)
_THOUGHTS = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|$)", re.DOTALL | re.IGNORECASE)
_MARKUP = re.compile(
    r"</?[A-Za-z][^<>]*>|[*`]+|^\s*(?:#+|>|-|\d+\.)\s+|(?<!\w)_+|_+(?!\w)|^\s*title:\s*", re.IGNORECASE
)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_AROUND = " \t\"'“”„«»‘’"


def wants_title(admitted: Admitted) -> bool:
    """Return whether a model is to make a title after this turn, which has ended: the first that was answered.

    An imported session and a copy bring theirs. Of a comparison, only the first run counts, as one title is enough.
    """
    request = admitted.request
    before = [turn for turn in admitted.plan.previous.turns if turn.column is None or _is_first(turn.column)]
    first = not any(turn.status == "completed" or turn.origin for turn in before)
    counts = request.moves_head if request.column is None else _is_first(request.column)
    asks = request.kind != "compaction" and request.titles and counts
    return asks and first and admitted.turn.transcript.status == "completed"


def _is_first(column: Column) -> bool:
    return (column.number, column.repeat) == (1, 1)


async def give_title(
    admitted: Admitted, models: Models, store: Store, record_title: Callable[[str, str], object] = lambda *_: None
) -> str | None:
    """Ask a model for a title and store it. Return the title, or None if the session keeps the one that it has.

    Never raises an error: a title is not worth a word about it.

    Args:
        admitted: The turn after which it is made.
        models: The models that references can name.
        store: The store of the session.
        record_title: Called in a worker thread with the ids of the session and the turn, to add it to a recording.
    """
    from sessionmagic.models.said import said_for_title
    from sessionmagic.turns.replaying import asking_aside, asking_of

    try:
        model = await in_thread(_model_for, admitted, models)
        if model is None:
            return None
        prompt = said_for_title(admitted.request.prompt)
        with asking_aside("title", prompt, asker=asking_of(admitted).asker) as asking:
            text, record = await _asked(admitted, model)
        if record is None:
            return None
        title = await in_thread(_written, admitted, cleaned(text), record, model.reference, store)
        if asking.filled:
            await in_thread(record_title, admitted.turn.session_id, admitted.turn.id)
        return title  # noqa: TRY300
    except Exception:  # noqa: BLE001  models and stores fail in any way
        return None


def cleaned(text: str) -> str:
    """Return the first line of what a model wrote as a title, without markup and keys; empty if nothing is left."""
    for line in _THOUGHTS.sub("", without_keys(text)).splitlines():
        words = printable(" ".join(_MARKUP.sub("", _LINK.sub(r"\1", line)).split())).strip(_AROUND).rstrip(".")
        if words:
            return title_of(words)
    return ""


def _model_for(admitted: Admitted, models: Models) -> ResolvedModel | None:
    """Return the model to ask; None if the first words are to stay."""
    from pydantic_ai.models.function import FunctionModel
    from pydantic_ai.models.test import TestModel

    from sessionmagic.models.local import LocalModel
    from sessionmagic.models.members import members_of

    if admitted.plan.model.is_replay:  # its recording has the title
        return admitted.plan.model.chosen()
    if reference := admitted.plan.agent.title_model:
        try:
            return models.within(admitted.plan.agent.names).resolve(reference).chosen()
        except SessionMagicError:
            return None
    model = admitted.plan.model
    speechless = any(isinstance(each, FunctionModel | TestModel | LocalModel) for each in members_of(model.model))
    return None if speechless else model.chosen()


async def _asked(admitted: Admitted, model: ResolvedModel) -> tuple[str, RequestRecord | None]:
    """Ask the model; return what it wrote, empty if it failed, and the record of the request.

    There is no record if a budget has refused the request.
    """
    from pydantic_ai import Agent
    from pydantic_ai.exceptions import UserError
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.usage import UsageLimits

    from sessionmagic.models.members import with_wrapped_members
    from sessionmagic.turns.charged_model import ChargedModel
    from sessionmagic.turns.model_requests import ModelRequests

    typed = without_keys(admitted.request.typed or admitted.request.prompt)
    if len(typed) > TYPED_LENGTH:
        typed = typed[: between_words(typed, TYPED_LENGTH, -1)]
    requests = ModelRequests()
    accounts = admitted.accounts
    charged = with_wrapped_members(model.model, lambda member: ChargedModel(member, model, accounts, requests=requests))
    agent = Agent(charged, instructions=INSTRUCTIONS, model_settings=ModelSettings(max_tokens=MAX_TOKENS))
    requests.begin(admitted.plan.agent.name, model)
    text = ""
    failure: Exception | None = None
    messages: list[ModelMessage] = []
    try:
        async with (
            asyncio.timeout(SECONDS),
            agent,
            agent.run_stream_events(typed, usage_limits=UsageLimits(request_limit=1)) as events,
        ):
            try:
                async for _ in events:
                    requests.hear()
                text = str(events.result.output) if events.result else ""
            finally:
                with suppress(UserError):  # the run ended before its first step, so it has no messages
                    messages = list(events.new_messages())
    except Exception as error:  # noqa: BLE001  a model may fail in any way
        # The provider may have worked on a request that took too long.
        failure = TurnTimeoutError("the title took too long") if isinstance(error, TimeoutError) else error
    requests.close(messages, failure)
    if not requests.records:
        return text, None
    record = requests.records[0]
    return text, replace(record, model=record.model or model.reference, purpose="title", wrote=text)


def _written(admitted: Admitted, title: str, record: RequestRecord, reference: str, store: Store) -> str | None:
    """Store the request, and the title unless the user has renamed the session or it has another title by now.

    A turn that runs now has its account from before the request was stored, so it is charged here.

    Raises `SessionNotFoundError` if the session was deleted.
    """
    given: str | None = None
    first = (admitted.record.id, admitted.record.started_at)

    def change(session: Session) -> Session:
        nonlocal given
        if not any((turn.id, turn.started_at) == first for turn in session.turns):  # the session was emptied
            given = None
            return replace(session, removed_usage=total([session.removed_usage, record.usage]))
        as_before = (session.name, session.title) == (admitted.turn.session_name, admitted.title)
        given = title if title and as_before else None
        session = replace(session, title=given or session.title)
        return with_changed_turn(
            session, admitted.turn.id, lambda turn: replace(turn, requests=[*turn.requests, record])
        )

    group = open_group(admitted.turn.session_id)
    with group.admitting if group is not None else nullcontext():  # a turn that is being admitted reads the session
        store.update(admitted.turn.session_id, change)
        if group is not None and group.dead is not None and group is not admitted.hold.group:
            group.account.add(record.usage, reference)
    return given
