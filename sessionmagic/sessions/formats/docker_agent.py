"""A session of docker-agent, as it writes it in JSON: in the files of its evaluations, and over HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from sessionmagic.sessions.formats.checks import check_levels
from sessionmagic.sessions.formats.entries import (
    LINKED,
    Entry,
    Result,
    image_in,
    seconds_of,
    session_of,
    usage_of,
)
from sessionmagic.tools.permissions import SAFETIES, VERDICTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import TypeAdapter

    from sessionmagic.conversation.session import Session

ITEMS = frozenset({"message", "sub_session", "summary", "error"})
"""What an item of a session is."""
OLD_MODES = {"unsafe": "autonomous", "safer": "balanced", "safe-auto": "balanced"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Image:
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    type: str = ""
    text: str = ""
    image_url: _Image | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Function:
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    id: str = ""
    function: _Function = field(default_factory=_Function)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Usage:
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cached_write_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _ChatMessage:
    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    multi_content: list[_Part] | None = None
    reasoning_content: str = ""
    tool_calls: list[_Call] | None = None
    tool_call_id: str = ""
    is_error: bool = False
    created_at: str = ""
    usage: _Usage | None = None
    model: str = ""
    cost: float = 0.0
    finish_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    message: _ChatMessage
    agentName: str = ""  # noqa: N815  docker-agent's name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    message: _Message | None = None
    sub_session: _Session | None = None
    summary: str = ""
    error: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Permissions:
    allow: list[str] | None = None
    ask: list[str] | None = None
    deny: list[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    messages: list[_Item] | None = None
    title: str = ""
    created_at: str = ""
    starred: bool = False
    tools_approved: bool = False
    safety_policy: str = ""
    permissions: _Permissions | None = None
    custom_models_used: list[str] | None = None


def is_docker_agent(document: Any) -> bool:
    """Return whether a JSON document looks like a session of docker-agent."""
    match document:
        case {"id": str(), "messages": [*items]}:
            return all(isinstance(item, dict) and not ITEMS.isdisjoint(item) for item in items)
        case _:
            return False


def from_docker_agent(document: dict[str, Any]) -> Session:
    """Return the session of a document; its sub-sessions become turns of sub-agents. Raises `ValueError`.

    Its rules are taken over. ``tools_approved`` is the mode ``autonomous``, which waits for the user's confirmation.
    The agents' own models stay with their program.
    """
    check_levels(document, _inner)
    stored = _adapter().validate_python({**document, "messages": list(map(_as_item, document["messages"]))})
    rules = stored.permissions or _Permissions()
    mode = "autonomous" if stored.tools_approved else OLD_MODES.get(stored.safety_policy, stored.safety_policy)
    return session_of(
        _entries(stored),
        name=stored.title,
        title=stored.title,
        at=seconds_of(stored.created_at),
        starred=stored.starred,
        permissions={verdict: patterns for verdict in VERDICTS if (patterns := getattr(rules, verdict))},
        safety=mode if mode in SAFETIES else "balanced",
        custom_models_used=stored.custom_models_used or [],
    )


def _inner(session: dict[str, Any]) -> list[Any]:
    items = session.get("messages")
    return [item.get("sub_session") for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _as_item(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item of a session. Over HTTP, docker-agent sends only the messages themselves."""
    match item:
        case {"message": {"role": _}}:
            return {"message": item}
        case _:
            return item


@cache
def _adapter() -> TypeAdapter[_Session]:
    from pydantic import TypeAdapter

    return TypeAdapter(_Session)


def _entries(session: _Session) -> list[Entry]:
    entries: list[Entry] = []
    for item in session.messages or ():
        if item.message is not None and item.message.message.role == "tool":
            _add_result(entries, item.message.message)
        elif item.message is not None:
            entries.append(_entry(item.message))
        elif item.sub_session is not None:
            _add_worker(entries, item.sub_session)
        elif entries:  # docker-agent keeps what a summary stands for, too
            what = "summary" if item.summary else "error" if item.error else "cost of a summary"
            entries[-1] = replace(entries[-1], lost=[*entries[-1].lost, what])
    return entries


def _add_result(entries: list[Entry], message: _ChatMessage) -> None:
    """Add a result to the answer whose call it belongs to; without one, it is left out, as docker-agent does."""
    for at in reversed(range(len(entries))):
        if any(call == message.tool_call_id for call, *_ in entries[at].calls):
            items, lost = _items(message)
            result = Result(
                call_id=message.tool_call_id,
                text=_text(message, items),
                failed=message.is_error,
                files=[item for item in items if isinstance(item, dict)],
            )
            results = [*entries[at].results, result]
            entries[at] = replace(entries[at], results=results, lost=[*entries[at].lost, *lost])
            return


def _add_worker(entries: list[Entry], session: _Session) -> None:
    """Add a sub-session to the call that waits for its result: it stands between the two."""
    if not entries:
        entries.append(Entry(kind="agent", text=""))
    last = entries[-1]
    answered = {result.call_id for result in last.results} | {call for call, _ in last.workers}
    call = next((call for call, *_ in last.calls if call not in answered), "")
    entries[-1] = replace(last, workers=[*last.workers, (call, _entries(session))])


def _entry(stored: _Message) -> Entry:
    message = stored.message
    items, lost = _items(message)
    at = seconds_of(message.created_at)
    if message.role != "assistant":
        kind: Literal["system", "user"] = "system" if message.role == "system" else "user"
        texts = [item for item in items if isinstance(item, str)] if not message.content else []
        text = texts[0] if texts else message.content
        items = [item for item in items if item is not text]
        return Entry(kind=kind, text=text, items=items, at=at, lost=lost)
    used = message.usage
    return Entry(
        kind="agent",
        text=_text(message, items),
        at=at,
        reasoning=message.reasoning_content,
        calls=[(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()],
        agent=stored.agentName,
        model=message.model,
        usage=None
        if used is None
        else usage_of(
            input_tokens=used.input_tokens,
            output_tokens=used.output_tokens,
            cached_tokens=used.cached_input_tokens,
            cache_write_tokens=used.cached_write_tokens,
            reasoning_tokens=used.reasoning_tokens,
            cost=message.cost or None,  # docker-agent writes 0 for a model without a price
        ),
        finish_reason=message.finish_reason or None,
        lost=[*lost, *("image in an answer" for item in items if isinstance(item, dict))],
    )


def _items(message: _ChatMessage) -> tuple[list[str | dict[str, Any]], list[str]]:
    """Return the texts and images beside a message's text, and what cannot be imported."""
    items: list[str | dict[str, Any]] = []
    lost: list[str] = []
    for part in message.multi_content or ():
        if part.type == "text":
            items += [part.text] if part.text != message.content else []
        elif part.image_url is not None and (image := image_in(part.image_url.url)) is not None:
            items.append(image)
        else:
            lost.append(LINKED)
    return items, lost


def _text(message: _ChatMessage, items: Iterable[str | dict[str, Any]]) -> str:
    return "\n\n".join(filter(None, [message.content, *(item for item in items if isinstance(item, str))]))
