"""Stored sessions for tests of files: made by hand or by turns, exported, and refused by an import."""

import json
import zlib
from dataclasses import replace

import pytest

from sessionmagic import Attachment, UsageError, export_session, import_session
from sessionmagic.conversation.session import Session, TurnRecord
from sessionmagic.conversation.tree import ROOT
from sessionmagic.storage.store import new_session_id
from sessionmagic.testing import call, script, think
from tests.turns import ask

PNG = b"\x89PNG\r\n\x1a\n" + b"figure" * 10


def turn(number, **fields):
    values = {
        "parent": None if number == 1 else str(number - 1),
        "agent": "assistant",
        "model": "calm",
        "prompt": f"prompt {number}",
        "started_at": 10.0 + number,
        "finished_at": 20.0 + number,
        "status": "completed",
        "messages": said(f"prompt {number}", f"answer {number}"),
    }
    return TurnRecord(id=str(number), **(values | fields))


def said(prompt, answer):
    from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart

    from sessionmagic.turns.messages import to_json

    return to_json([ModelRequest.user_text_prompt(prompt), ModelResponse(parts=[TextPart(answer)])])


def session(*turns, **fields):
    values = {"id": new_session_id(), "name": "chat", "created_at": 1.5, "updated_at": 2.5, "title": "Churn"}
    head = turns[-1].id if turns else None
    return Session(**(values | {"turns": turns, "head": head, "turns_started": len(turns)} | fields))


def signed(path, old, new):
    """Change a snapshot in place of the store, with the right checksum."""
    content = path.read_bytes().replace(old, new)
    end = content.rindex(b'},"checksum":')
    path.write_bytes(content[:end] + b'},"checksum":{"1":{"crc32":%d}}}' % zlib.crc32(content[:end]))


OWN_SETTINGS = "the session's own settings or instructions"
RULES = "2 rules and the safety mode autonomous"


async def eventful(manager):
    """Return a session with all that a format may have to hold."""
    script("thinks", [think("Let me see."), "Look: ", call("run", {"code": "x = 1"})], "**done** in `x`")

    def run(code: str) -> str:
        """Run code."""
        return code.replace("=", "<")

    await ask(
        manager, "What is\nthis?", model="thinks", tools=[run], yes=True, settings={"seed": 7}, system="Be\nbrief"
    )
    image = Attachment(name="plot", content=PNG, media_type="image/png")
    table = Attachment(name="table", content="a,b\n1,2")
    await ask(manager, "And this?", model="calm", attachments=[image, table])
    await ask(manager, "Another one", after=ROOT)
    await ask(manager, "Go on", after="2", model="breaks")
    manager.sessions.set_permissions("chat", {"run": "allow", "send": "deny"}, "autonomous")
    manager.sessions.set_settings("chat", {"temperature": 0.5}, "Answer in German.")
    return manager.sessions.star("chat")


def comparable(session):
    """Return a session without what an import gives anew."""
    turns = tuple(replace(turn, origin="") for turn in session.turns)
    return replace(session, turns=turns, stamp="", working_dir="", notebook="")


def exported(session, path, **options):
    return export_session(session, path, **options), path.read_text(encoding="utf-8")


def refused(store, path, content):
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises(UsageError) as caught:
        import_session(store, path)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"cannot import {path}: ")
    assert line.endswith("; nothing was stored")
    assert store.summaries() == ([], [])
    return line.removeprefix(f"cannot import {path}: ").removesuffix("; nothing was stored")


def document(*turns, **fields):
    """Return a session as the JSON that an export writes."""
    from sessionmagic.sessions.formats.native import to_native

    return json.loads(to_native(session(*turns, **fields)))
