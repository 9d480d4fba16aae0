"""What fills the context of a session's next turn, by kind, and how much of it the provider has counted."""

from dataclasses import replace
from typing import get_args

import pytest
from pydantic_ai.tools import ToolDefinition

from sessionmagic.conversation.attachment import Attachment
from sessionmagic.sessions.context import context_of
from sessionmagic.testing import call, script
from sessionmagic.turns.context_size import ContextKind, definition_tokens, tokens_by_kind, tokens_in
from tests.turns import ask, on_a_loop

OTHERS = {"instructions": 30, "tools": 70}
PICTURE = Attachment(name="plot.png", content=b"\x89PNG\r\n\x1a\n", media_type="image/png")


def entries_of(manager, model="model", others=OTHERS):
    entries = context_of(manager.sessions.load("chat"), manager.models.resolve(model), others)
    return {entry.kind: entry for entry in entries}


def counted(turn, sent, received):
    last = {**turn.messages[-1], "usage": {"input_tokens": sent, "output_tokens": received}}
    return replace(turn, messages=[*turn.messages[:-1], last])


async def talk_with_everything(manager, tools):
    script(
        "model", call("look", at="the sun"), "It shines. " * 40, "In short.", "two", profile={"context_window": 5_000}
    )
    await ask(manager, "Look. " * 40, model="model", tools=tools.all)
    await (await manager.compact("chat")).result()
    attachments = [Attachment(name="notes.txt", content="note " * 100), PICTURE]
    script("model", call("look", at="the moon"), "Fine.", profile={"context_window": 5_000})
    await ask(manager, "And now? " * 20, attachments=attachments, tools=tools.all)


def change_last(manager, change):
    manager.store.update(
        manager.sessions.id_of("chat"),
        lambda session: replace(session, turns=(*session.turns[:-1], change(session.turns[-1]))),
    )


@on_a_loop
async def test_every_kind_has_its_share_of_what_the_provider_has_counted(manager, tools):
    await talk_with_everything(manager, tools)
    change_last(manager, lambda turn: counted(turn, 2_990, 10))
    entries = entries_of(manager)
    assert list(entries) == [*get_args(ContextKind), "total"]
    assert (entries["total"].tokens, entries["total"].estimated, entries["total"].limit) == (3_000, False, 5_000)
    kinds = [entry for kind, entry in entries.items() if kind != "total"]
    assert sum(entry.tokens for entry in kinds) == 3_000
    assert all(entry.tokens > 0 and entry.estimated for entry in kinds)
    assert entries["attachments"].tokens > entries["tools"].tokens > entries["instructions"].tokens


@on_a_loop
async def test_all_is_an_estimate_where_the_provider_has_counted_nothing(manager, tools):
    await talk_with_everything(manager, tools)
    change_last(manager, lambda turn: counted(counted(turn, 0, 0), 0, 0))
    change_last(manager, lambda turn: replace(turn, messages=[{**message, "usage": {}} for message in turn.messages]))
    entries = entries_of(manager)
    assert entries["total"].estimated
    assert (entries["instructions"].tokens, entries["tools"].tokens) == (30, 70)
    assert sum(entry.tokens for kind, entry in entries.items() if kind != "total") == entries["total"].tokens


@on_a_loop
async def test_session_without_turns_holds_instructions_and_tools(manager):
    script("model", "one")
    await ask(manager, "a", model="model")
    manager.branches.drop("chat")
    entries = entries_of(manager)
    assert [(kind, entry.tokens) for kind, entry in entries.items() if entry.tokens] == [
        ("instructions", 30),
        ("tools", 70),
        ("total", 100),
    ]
    assert {entry.limit for entry in entries.values()} == {None}


@on_a_loop
async def test_turn_that_was_stopped_is_estimated_after_the_last_count(manager):
    script("model", "one", ["two ", RuntimeError("it broke")])
    await ask(manager, "a", model="model")
    change_last(manager, lambda turn: counted(turn, 90, 10))
    await ask(manager, "word " * 8)
    total = entries_of(manager)["total"]
    assert (total.tokens, total.estimated) == (111, True)


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("a", 1), ("word", 1), ("words", 2), ("日本語", 3), ("\ud800", 1)]
)
def test_four_bytes_are_a_token(text, tokens):
    assert tokens_in(text) == tokens


def test_definitions_of_tools_count_with_their_schemas():
    small = ToolDefinition(name="look", description="Look.")
    large = replace(small, parameters_json_schema={"properties": {"at": {"description": "where " * 40}}})
    assert definition_tokens([large]) > definition_tokens([small]) > 0
    assert definition_tokens([small, large]) == definition_tokens([small]) + definition_tokens([large])


def test_images_and_files_have_sizes_of_their_own():
    def prompt(*items):
        return [{"kind": "request", "parts": [{"part_kind": "user-prompt", "content": list(items)}]}]

    image = {"kind": "binary", "media_type": "image/png", "data": "A" * 40_000}
    pdf = {"kind": "binary", "media_type": "application/pdf", "data": "A" * 4_000}
    assert tokens_by_kind(prompt("Look", image)) == {"history": 1, "attachments": 1_000}
    assert tokens_by_kind(prompt("Look", pdf)) == {"history": 1, "attachments": 100}
    assert tokens_by_kind(prompt("Look", {"kind": "image-url", "url": "https://x"}))["attachments"] == 0


@on_a_loop
async def test_session_that_holds_nothing_takes_nothing(manager):
    script("model", "one")
    await ask(manager, "a", model="model")
    manager.branches.drop("chat")
    entries = entries_of(manager, others={})
    assert {(entry.tokens, entry.estimated) for kind, entry in entries.items() if kind != "total"} == {(0, False)}
