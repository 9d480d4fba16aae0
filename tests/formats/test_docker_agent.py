"""Sessions of docker-agent are imported."""

import json

import pytest

from sessionmagic import MemoryStore, import_session
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.conversation.usage import Usage
from tests.stored import refused
from tests.turns import ask, manager_on, on_a_loop


def message(role, content="", agent="root", **fields):
    at = "2026-01-02T03:04:05.12345+01:00"
    return {"message": {"agentName": agent, "message": {"role": role, "content": content, "created_at": at} | fields}}


def calling(call_id, tool, **arguments):
    return {"id": call_id, "type": "function", "function": {"name": tool, "arguments": json.dumps(arguments)}}


def stored(*items, **fields):
    values = {
        "id": "41b179a2-ed19-4ae2-a45d-95775aaa90f7",
        "title": "Counting Files",
        "messages": list(items),
        "created_at": "2026-01-02T03:04:00.5+01:00",
        "tools_approved": False,
        "SendUserMessage": True,
        "max_iterations": 0,
        "input_tokens": 918,
        "output_tokens": 23,
        "cost": 0.004885,
    }
    return values | fields


def imported(content, path, store=None):
    path.write_text(json.dumps(content))
    return import_session(store or MemoryStore(), path)


COUNTING = (
    message("user", "How many files?", agent=""),
    message("assistant", tool_calls=[calling("c1", "list_directory", path="./")]),
    message("tool", "a.csv\n", tool_call_id="c1"),
    message(
        "assistant",
        "One.",
        model="openai/gpt-5",
        cost=0.25,
        usage={"input_tokens": 9, "output_tokens": 2, "cached_input_tokens": 4, "cached_write_tokens": 1},
        reasoning_content="easy",
    ),
)


def test_messages_become_turns(tmp_path):
    after = imported(stored(*COUNTING, message("user", "Thanks")), tmp_path / "x.json")
    assert (after.name, after.title, after.head) == ("Counting Files", "Counting Files", "2")
    first, second = after.turns
    transcript = transcript_of("", first)
    assert (first.prompt, first.agent, first.answered_by) == ("How many files?", "root", "openai/gpt-5")
    assert [type(block).__name__ for block in transcript.blocks] == ["ToolBlock", "ReasoningBlock", "TextBlock"]
    assert (transcript.blocks[0].args, transcript.blocks[0].content) == ({"path": "./"}, "a.csv\n")
    assert first.requests[1].usage == Usage(
        input_tokens=9, output_tokens=2, cached_tokens=4, cache_write_tokens=1, cost=0.25
    )
    assert first.requests[0].usage.unmeasured_requests == 1
    assert (first.status, second.status) == ("completed", "interrupted")
    assert after.created_at == 1767319440.5
    assert first.origin == "import"


def test_session_as_it_comes_over_http_is_the_same(tmp_path):
    flat = stored(*(item["message"] for item in COUNTING))
    one, other = imported(flat, tmp_path / "x.json"), imported(stored(*COUNTING), tmp_path / "y.json")
    assert one.turns == other.turns


@on_a_loop
async def test_imported_session_goes_on(tmp_path):
    manager = manager_on(MemoryStore())
    imported(stored(*COUNTING), tmp_path / "x.json", manager.store)
    assert str(await ask(manager, "Go on", session="Counting Files")) == "It is fine."
    assert manager.sessions.load("Counting Files").head == "2"


def test_sub_session_is_the_turn_of_a_sub_agent(tmp_path):
    sub = stored(message("user", "Do it", agent="", implicit=True), message("assistant", "Did it", agent="worker"))
    after = imported(
        stored(
            message("user", "Go"),
            message("assistant", tool_calls=[calling("c1", "transfer_task", agent="worker")]),
            {"sub_session": sub},
            message("tool", "Did it", tool_call_id="c1"),
            message("assistant", "Done"),
        ),
        tmp_path / "x.json",
    )
    main, worker = after.turns
    assert [each.id for each in after.path()] == ["1"]
    assert (worker.caller, worker.agent, worker.prompt) == ("1:c1", "worker", "Do it")
    assert main.status == "completed"


def test_permissions_come_as_of_somebody_else(tmp_path):
    rules = {"allow": ["read_*"], "deny": ["shell"]}
    manager = manager_on(MemoryStore())
    after = imported(stored(*COUNTING, permissions=rules, tools_approved=True), tmp_path / "x.json", manager.store)
    permissions, missing = manager.sessions.trusted(after)
    assert missing == ["safety autonomous", "allow read_*"]
    assert (permissions.safety, permissions.rules["deny"]) == ("balanced", ["shell"])


@pytest.mark.parametrize(("mode", "safety"), [("strict", "strict"), ("safer", "balanced"), ("?", "balanced")])
def test_safety_policy_is_taken_over(tmp_path, mode, safety):
    assert imported(stored(*COUNTING, safety_policy=mode), tmp_path / "x.json").safety == safety


def test_what_cannot_be_imported_is_a_warning(tmp_path):
    parts = [{"type": "text", "text": "Hi"}, {"type": "file", "file": {"path": "/etc/passwd"}}]
    parts += [{"type": "image_url", "image_url": {"url": "https://example.org/x.png"}}]
    after = imported(
        stored(message("user", "Hi", multi_content=parts), message("assistant", "Ok"), {"summary": "We met."}),
        tmp_path / "x.json",
    )
    assert after.turns[0].messages[0]["parts"][0]["content"] == "Hi"
    assert after.turns[0].warnings == ["not imported: 2 linked files", "not imported: 1 summary"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (stored({"message": {"message": {"role": "robot"}}}), "not a session: messages.0.message.message.role"),
        (stored(message("user"), created_at="never"), "'never' is not a time"),
        (stored({"sub_session": "x"}), "not a session: messages.0.sub_session"),
        (stored({"unknown": 1}), "it is not in a format that can be imported"),
        (stored(*COUNTING, permissions={"allow": [":a=b"]}), "the rule ':a=b' does not name a tool"),
        (stored(message("assistant", "x", usage={"input_tokens": 2**60})), "input_tokens of 1.15292e+18"),
    ],
)
def test_broken_sessions_are_refused(tmp_path, content, reason):
    assert refused(MemoryStore(), tmp_path / "x.json", content).startswith(reason)


@pytest.mark.parametrize("levels", [10, 300])
def test_many_levels_of_sub_sessions_are_refused(tmp_path, levels):
    nested = stored(*COUNTING)
    for _ in range(levels):
        nested = stored(*COUNTING, {"sub_session": nested})
    assert "levels of sub-agents" in refused(MemoryStore(), tmp_path / "x.json", nested)
