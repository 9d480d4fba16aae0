"""What a session contains, so that an export can tell what its format cannot hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

from sessionmagic.conversation.tree import sub_agent_turns
from sessionmagic.conversation.usage import Usage
from sessionmagic.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sessionmagic.conversation.session import Session, TurnRecord

Content = Literal[
    "branches",
    "summaries",
    "sub-agents",
    "reasoning",
    "texts",
    "images",
    "files",
    "calls",
    "values",
    "instructions",
    "settings",
    "own settings",
    "permissions",
    "usage",
    "endings",
]
EVERYTHING: frozenset[Content] = frozenset(get_args(Content))


def contents_of(session: Session) -> dict[Content, str]:
    """Return what a session has beside prompts and answers, each in words."""
    path = session.path()
    on_path = {turn.id for turn in path}
    others = [turn for turn in session.turns if turn.id not in on_path]
    workers = sub_agent_turns(session)
    attached = [item for turn in path for item in attached_to(turn)]
    files = [item for item in (*attached, *_beside_results(path)) if isinstance(item, dict)]
    kinds = [part["part_kind"] for part in _parts(path)]
    found: dict[Content, str] = {
        "branches": counted(sum(turn.id not in workers for turn in others), "turn") + " on other branches",
        "summaries": counted(sum(turn.kind == "compaction" for turn in path), "turn") + " with a summary",
        "sub-agents": counted(len(workers - on_path), "turn") + " of sub-agents",
        "reasoning": counted(kinds.count("thinking"), "piece") + " of reasoning",
        "texts": counted(sum(isinstance(item, str) for item in attached), "attached text"),
        "images": counted(sum(map(is_image, files)), "image"),
        "files": counted(sum(not is_image(item) for item in files), "attached file"),
        "calls": counted(kinds.count("tool-call"), "tool call"),
        "values": counted(sum(turn.value is not None for turn in path), "structured answer") + " other than as text",
        "instructions": counted(sum(bool(turn.system) for turn in path), "turn") + " with instructions",
        "settings": counted(sum(bool(turn.settings) for turn in path), "turn") + " with settings",
        "own settings": "the session's own settings or instructions" if session.settings or session.system else "",
        "permissions": _permissions(session),
        "usage": counted(sum(turn.usage != Usage() for turn in path), "turn") + " with tokens, cost and times",
        "endings": counted(sum(turn.status != "completed" for turn in path), "turn") + " that did not complete",
    }
    return {content: words for content, words in found.items() if words and not words.startswith("0 ")}


def _permissions(session: Session) -> str:
    rules = sum(map(len, session.permissions.values()))
    mode = f"the safety mode {session.safety}" if session.safety != "balanced" else ""
    return " and ".join(filter(None, [counted(rules, "rule") if rules else "", mode]))


def not_held(session: Session, held: Iterable[Content]) -> list[str]:
    """Return in words what a session has that is not among the contents that a format holds."""
    kept = set(held)
    return [words for content, words in contents_of(session).items() if content not in kept]


def attached_to(turn: TurnRecord) -> list[str | dict[str, Any]]:
    """Return what the user has attached to the prompt: texts, and images or documents in pydantic-ai's form."""
    content = next((part["content"] for part in _parts([turn]) if part["part_kind"] == "user-prompt"), None)
    return items_of(content)[1:] if isinstance(content, list) else []


def items_of(content: Any) -> list[str | dict[str, Any]]:
    """Return the content of a user's message as a list of texts and files."""
    items = content if isinstance(content, list) else [content]
    return [item for item in items if isinstance(item, str | dict)]


def is_image(item: Any) -> bool:
    """Return whether an item of a message is an image that is stored with it."""
    return is_file(item) and str(item.get("media_type")).startswith("image/")


def is_file(item: Any) -> bool:
    """Return whether an item of a message is a file that is stored with it, and not the address of one."""
    return isinstance(item, dict) and item.get("kind") == "binary" and isinstance(item.get("data"), str)


def file_note(item: dict[str, Any]) -> str:
    """Return what stands in place of a file that a format cannot hold, or of one that is only an address."""
    if not is_file(item):
        return "[a linked file]"
    return f"[{item['media_type']}, {counted(len(item['data'].rstrip('=')) * 3 // 4, 'byte')}]"


def _parts(turns: Iterable[TurnRecord]) -> Iterator[dict[str, Any]]:
    return (part for turn in turns for message in turn.messages for part in message["parts"])


def _beside_results(turns: Iterable[TurnRecord]) -> Iterator[dict[str, Any]]:
    """Yield the files that came with the results of tools, which are in later messages than the prompt."""
    for turn in turns:
        prompts = [part for part in _parts([turn]) if part["part_kind"] == "user-prompt"]
        for part in prompts[1:]:
            yield from (item for item in items_of(part["content"]) if isinstance(item, dict))
