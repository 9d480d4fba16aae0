"""`%agent export` and `%agent import`."""

import json

import pytest

from tests.kernel.test_commands import refused

pytestmark = pytest.mark.once

NOT_SET = "permissions that you have not set, so they do not hold"


@pytest.fixture
def chat(kernel, session):
    kernel.run(f"%%agent -m hello -s {session}\nfirst question").ok()
    return session


def test_export_says_what_was_written_and_what_was_not(kernel, chat, tmp_path):
    kernel.run(f"%agent drop -s {chat}").ok()
    kernel.run(f"%%agent -m hello -s {chat}\nanother one").ok()
    lines = kernel.run(f"%agent export {chat} {tmp_path}/chat.md").ok().text.splitlines()
    assert lines == [
        f"wrote {chat} to {tmp_path}/chat.md (1 turn)",
        "Markdown cannot hold 1 turn on other branches",
        "Markdown cannot hold 1 turn with tokens, cost and times",
    ]
    assert "Hello **world**" in (tmp_path / "chat.md").read_text()
    line = refused(kernel.run(f"%agent export {chat} {tmp_path}/chat.md"), "UsageError")
    assert line == f"{tmp_path}/chat.md exists; --force replaces it"
    for named in (f"-s {chat}", "-1"):
        kernel.run(f"%agent export --force {named} {tmp_path}/chat.md").ok()
    kernel.run(f"%agent use {chat}").ok()
    assert f"wrote {chat} to" in kernel.run(f"%agent export --format atif {tmp_path}/atif.json").ok().text


def test_import_adds_the_session_and_says_what_it_brings(kernel, chat, tmp_path):
    kernel.run(f"%agent permissions {chat} --allow 'run_*'").ok()
    kernel.run("%config AgentMagics.prices = {'hello': [1, 1]}").ok()
    kernel.run(f"%agent set -s {chat} temperature=0 --budget 0.5").ok()
    kernel.run("%config AgentMagics.prices = {}").ok()
    kernel.run(f"%agent export {chat} {tmp_path}/chat.json").ok()
    lines = kernel.run(f"%agent import {tmp_path}/chat.json").ok().text.splitlines()
    assert lines == [
        f"{chat}-2 is imported (1 turn); %agent use {chat}-2 continues it",
        f"this session brings {NOT_SET}: allow run_*; %agent permissions '{chat}-2' --confirm sets them",
        "it is set to the model hello",
        "it has a budget of $0.5000",
        "it brings settings: temperature=0",
    ]
    assert "Hello" in kernel.run(f"%agent show {chat}-2").ok().text
    assert kernel.run(f"%agent usage {chat}-2 --by agent").ok().text.splitlines()[0] == (
        "no model requests of its own yet; those of its 1 copied turn count where they were made"
    )
    assert "already exists" in refused(kernel.run(f"%agent import {tmp_path}/chat.json {chat}"), "SessionExistsError")


def test_import_of_something_else_is_one_line(kernel, tmp_path):
    (tmp_path / "x.json").write_text(json.dumps({"title": "<script>alert(1)</script>"}))
    assert "nothing was stored" in refused(kernel.run(f"%agent import {tmp_path}/x.json"), "UsageError")
    refused(kernel.run("%agent import"), "UsageError")
    refused(kernel.run("%agent export a b c"), "UsageError")


def test_formats_sessions_and_files_are_completed(kernel, chat, tmp_path):
    (tmp_path / "some.json").touch()
    assert kernel.complete("%agent export --format noteb") == ["%agent export --format notebook"]
    assert kernel.complete(f"%agent export {chat}") == [f"%agent export {chat}"]
    assert f"%agent import {tmp_path}/some.json" in kernel.complete(f"%agent import {tmp_path}/so")
