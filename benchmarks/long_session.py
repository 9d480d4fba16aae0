"""Sessions of any length, made from one real turn by the store of the measured revision."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from sessionmagic import SessionManager

NAME = "long"
PROMPT = "What spoils a churn model, and how do I find it before March?"
ANSWER = "A feature leaks the label when it is known only after the outcome. Ask of each one when it was written. " * 6
IMAGE_BYTES = 3_500_000


def manager_on(home: Path, **options: Any) -> SessionManager:
    """Return a manager that has read nothing yet, with the `test` model."""
    from sessionmagic import Models, SessionManager, TinyStore

    return SessionManager(TinyStore(home), Models("test", **options))


def fill(home: Path, turns: int) -> str:
    """Store a session with one path of so many turns with different texts, and return its id."""
    manager = manager_on(home)
    said = manager.run_sync(PROMPT, session=NAME).text
    stored = manager.sessions.load(NAME)
    [turn] = stored.turns
    form = json.dumps(turn.messages)

    def copy(number: int) -> Any:
        messages = form.replace(PROMPT, f"{number}. {PROMPT}").replace(said, f"{number}. {ANSWER}")
        return _placed(turn, number, prompt=f"{number}. {PROMPT}", messages=json.loads(messages))

    return _store(manager, stored, [copy(number) for number in range(1, turns + 1)])


def fill_with_images(home: Path, images: int) -> str:
    """Store a session of so many turns, each with a different image, and return its id."""
    from sessionmagic import Attachment

    manager = manager_on(home)
    image = b"\x89PNG\r\n\x1a\n" + Random(1).randbytes(IMAGE_BYTES)
    attachment = Attachment(name="plot.png", content=image, media_type="image/png")
    manager.run_sync(PROMPT, session=NAME, attachments=[attachment])
    stored = manager.sessions.load(NAME)
    [turn] = stored.turns
    form = json.dumps(turn.messages)
    start = form.index("iVBORw0KGg") + 40  # where the image begins, in base 64

    def copy(number: int) -> Any:
        return _placed(turn, number, messages=json.loads(f"{form[:start]}{number:04}{form[start + 4 :]}"))

    return _store(manager, stored, [copy(number) for number in range(1, images + 1)])


def append_turn(manager: SessionManager, session_id: str, number: int) -> None:
    """Write one more turn to a session, as one commit. It has no image."""

    def change(stored: Any) -> Any:
        turn, answer = stored.turns[-1], stored.turns[-1].messages[-1:]
        new = {"id": f"new-{number}", "parent": stored.head, "prompt": f"new {number}. {PROMPT}", "messages": answer}
        turn = replace(turn, **new)
        return replace(stored, turns=(*stored.turns, turn), head=turn.id)

    manager.store.update(session_id, change)


def _placed(turn: Any, number: int, **changes: Any) -> Any:
    return replace(turn, id=str(number), parent=str(number - 1) if number > 1 else None, **changes)


def _store(manager: SessionManager, session: Any, turns: list[Any]) -> str:
    known = {field.name for field in fields(session)}
    started = {"turns_started": len(turns)} if "turns_started" in known else {}
    manager.store.update(session.id, lambda stored: replace(stored, turns=tuple(turns), head=turns[-1].id, **started))
    return session.id
