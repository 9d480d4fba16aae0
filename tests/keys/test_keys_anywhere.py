"""A key anywhere in a turn is in no byte of the store and in no request to the model."""

import asyncio
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionmagic import Models, SessionManager, TinyStore, register_model
from sessionmagic.conversation.attachment import Attachment
from sessionmagic.keys.known import KNOWN
from sessionmagic.testing import ScriptedModel, call, think
from tests.examples import examples

SECRETS = {
    "known": "open sesame or else",
    "shape": "sk-ant-" + "a1B2c3D4e5F6" * 8,
    "assigned": 'api_key = "q7w8e9r0t1y2"',
    "address": "postgres://me:pw-q7w8e9@host/db",
}
BARE = {name: text.split('"')[1] if '"' in text else text for name, text in SECRETS.items()}
BARE["address"] = "pw-q7w8e9"
PLACES = [
    "prompt", "attachment", "system", "answer", "reasoning", "arguments", "result", "error", "structured", "steering",
    "where", "description",
]  # fmt: skip


class _Turn:
    """A turn with a secret in one of its places."""

    def __init__(self, place, secret, around):
        self.place = place
        self.text = around.format(secret)

    def at(self, place, otherwise="nothing"):
        return self.text if place == self.place else otherwise

    async def run(self, home):
        model = ScriptedModel(
            [think(self.at("reasoning", "hm")), call("act", text=self.at("arguments"))],
            [self.at("answer"), call("act", text="again")],
            RuntimeError(self.at("error", "down")),
            name="acts",
        )
        register_model("acts", model)
        manager = SessionManager(TinyStore(home), Models("acts"))

        async def act(text: str) -> object:  # noqa: ARG001
            await manager.turns.say("chat", "steer", self.at("steering"))
            return {"found": [self.at("structured")]} if self.place == "structured" else self.at("result")

        act.__doc__ = f"Act.\n\n{self.at('description')}"
        turn = await manager.run(
            self.at("prompt"),
            session="chat",
            system=self.at("system"),
            where=self.at("where", ""),
            attachments=[Attachment(name="notes", content=self.at("attachment"))],
            tools=[act],
            yes=True,
        )
        claims = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
        result = await turn.result()
        shown = [event async for event in turn.events()]
        files = [path for path in home.rglob("*") if path.is_file()]
        written = claims + b"".join(path.read_bytes() for path in files)
        return written.decode(), repr(model.sent), repr(shown), f"{result!r} {result.error} {result.raw_messages}"


@pytest.fixture(autouse=True, scope="module")
def _known_and_no_waiting_for_the_disk():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KNOWN, "names", {})
        patch.setattr(os, "fsync", lambda _: None)
        yield


@settings(max_examples=examples(48))
@given(
    place=st.sampled_from(PLACES),
    kind=st.sampled_from(sorted(SECRETS)),
    around=st.sampled_from(["{}", "before {} after", "one\n{}\ntwo", '{{"a": 1}} {}', "({})", "- **{}**", "x, {}, y"]),
)
def test_key_anywhere_in_a_turn_is_neither_stored_nor_sent_nor_shown(place, kind, around):
    KNOWN.add(SECRETS["known"])
    with tempfile.TemporaryDirectory() as folder:
        everything = asyncio.run(_Turn(place, SECRETS[kind], around).run(Path(folder)))
    for text in everything:
        assert BARE[kind] not in text
