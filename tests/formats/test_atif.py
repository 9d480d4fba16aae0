"""ATIF, the Agent Trajectory Interchange Format: export, import, and both after each other."""

import json
from dataclasses import replace

import pytest
from atif import Trajectory

from sessionmagic import MemoryStore, import_session
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.conversation.usage import RequestRecord, Usage
from sessionmagic.sessions.formats.atif import to_atif
from sessionmagic.sessions.formats.atif_reading import from_atif
from tests.stored import OWN_SETTINGS, PNG, RULES, eventful, exported, refused, said, session, turn
from tests.turns import on_a_loop


def step(number, source="user", message="Hi", **fields):
    return {"step_id": number, "source": source, "message": message} | fields


def trajectory(*steps, **fields):
    agent = {"name": "other", "version": "1", "model_name": "gpt-5"}
    return {"schema_version": "ATIF-v1.7", "agent": agent, "steps": list(steps)} | fields


def delegating(trajectory_id="sub"):
    """Return the steps of a trajectory in which a sub-agent works for a call."""
    call = {"tool_call_id": "c1", "function_name": "research", "arguments": {"topic": "churn"}}
    result = {"source_call_id": "c1", "content": "found", "subagent_trajectory_ref": [{"trajectory_id": trajectory_id}]}
    return [
        step(1),
        step(2, "agent", "", tool_calls=[call], observation={"results": [result]}),
        step(3, "agent", "Done"),
    ]


def imported(content, path):
    Trajectory.model_validate(content)
    path.write_text(json.dumps(content))
    return import_session(MemoryStore(), path)


def shown(session):
    """Return what the turns on the path show, without times and names."""
    return [
        [replace(block, call_id="", duration=None) if hasattr(block, "call_id") else block for block in each.blocks]
        for each in (transcript_of("", turn) for turn in session.path())
    ]


@on_a_loop
async def test_export_is_valid_and_comes_back(manager, tmp_path):
    before = await eventful(manager)
    losses, text = exported(before, tmp_path / "chat.json", format="atif")
    assert losses == ["1 turn on other branches", OWN_SETTINGS, RULES]
    document = Trajectory.model_validate_json(text)
    assert document.has_multimodal_content()
    assert document.final_metrics.total_prompt_tokens == sum(turn.usage.input_tokens for turn in before.path())
    assert [each.message for each in document.steps if each.source == "system"] == ["Be\nbrief", ""]
    after = import_session(MemoryStore(), tmp_path / "chat.json", "again")
    assert shown(after) == shown(before)
    for old, new in zip(before.path(), after.path(), strict=True):
        for field in ("prompt", "status", "error", "settings", "system", "agent", "cell_id"):
            assert getattr(new, field) == getattr(old, field), field
        assert new.started_at == pytest.approx(old.started_at, abs=0.001)
        assert new.usage.tokens == old.usage.tokens
    image = after.turns[1].messages[0]["parts"][0]["content"][1]
    assert image == before.turns[1].messages[0]["parts"][0]["content"][1]
    assert json.loads(to_atif(after))["steps"] != []


def test_second_export_of_an_imported_session_is_the_same(tmp_path):
    used = RequestRecord(agent="assistant", model="gpt-5", usage=Usage(input_tokens=9, cached_tokens=4, cost=0.5))
    before = session(turn(1, requests=[used], system="Be brief"), turn(2, requests=[used]))
    exported(before, tmp_path / "1.json", format="atif")
    after = import_session(MemoryStore(), tmp_path / "1.json")
    one, two = json.loads((tmp_path / "1.json").read_text()), json.loads(to_atif(after))
    for each in (one, two):
        each.pop("session_id"), each.pop("trajectory_id")
        for one_step in each["steps"]:
            one_step.pop("timestamp")
    one["agent"]["model_name"] = two["agent"]["model_name"]
    assert two == one


def test_trajectory_of_another_agent_becomes_turns(tmp_path):
    metrics = {"prompt_tokens": 100, "completion_tokens": 5, "cached_tokens": 80, "cost_usd": 0.25}
    call = {"tool_call_id": "c1", "function_name": "ls", "arguments": {"path": "."}}
    content = trajectory(
        step(1, "system", "You are other."),
        step(2, timestamp="2026-01-02T03:04:05Z"),
        step(
            3,
            "agent",
            "Let me look.",
            reasoning_content="hm",
            tool_calls=[call],
            observation={"results": [{"source_call_id": "c1", "content": "a.csv"}]},
            metrics=metrics,
        ),
        step(4, "agent", "One file.", model_name="gpt-5-mini"),
        step(5, message="Thanks"),
    )
    after = imported(content, tmp_path / "run.json")
    assert after.name == "run"
    assert after.title == "Hi"
    first, second = after.turns
    assert (first.prompt, first.model, first.agent, first.system) == ("Hi", "gpt-5", "other", "You are other.")
    assert (first.parent, second.parent, after.head) == (None, "1", "2")
    assert first.started_at == 1767323045
    assert first.usage == Usage(input_tokens=100, output_tokens=5, cached_tokens=80, cost=0.25, unmeasured_requests=1)
    assert first.answered_by == "gpt-5-mini"
    assert (first.status, second.status) == ("completed", "interrupted")
    assert transcript_of("", first).text == "Let me look.\n\nOne file."
    assert first.messages[2]["parts"][0]["content"] == "a.csv"
    assert after.system == ""  # the instructions of another program are not followed


def test_sub_agents_are_turns_of_their_own_and_are_embedded_again(tmp_path):
    metrics = {"prompt_tokens": 10, "completion_tokens": 1, "cost_usd": 0.5}
    inner = trajectory(step(1, message="deeper"), step(2, "agent", "deep", metrics=metrics), trajectory_id="inner")
    sub = trajectory(*delegating("inner"), trajectory_id="sub", agent={"name": "researcher", "version": "2"}) | {
        "subagent_trajectories": [inner]
    }
    after = imported(trajectory(*delegating(), subagent_trajectories=[sub]), tmp_path / "run.json")
    main, researcher, deeper = after.turns
    assert [each.id for each in after.path()] == ["1"]
    assert (main.caller, researcher.caller, deeper.caller) == (None, "1:c1", "2:c1")
    assert (researcher.agent, deeper.prompt, deeper.parent) == ("researcher", "deeper", None)
    again = Trajectory.model_validate_json(to_atif(after))
    assert again.final_metrics.total_cost_usd == 0.5
    assert again.final_metrics.total_prompt_tokens == 0
    assert again.steps[1].observation.results[0].subagent_trajectory_ref[0].trajectory_id == "2"
    nested = again.subagent_trajectories[0]
    assert (nested.agent.name, nested.subagent_trajectories[0].steps[1].message) == ("researcher", "deep")


def test_images_are_taken_from_the_document_only(tmp_path):
    import base64

    secret = tmp_path / "secret.png"
    secret.write_bytes(PNG)
    sources = [
        {"media_type": "image/png", "path": str(secret)},
        {"media_type": "image/png", "path": "https://example.org/x.png"},
        {"media_type": "image/png", "path": f"data:image/png;base64,{base64.b64encode(b'<svg>').decode()}"},
        {"media_type": "image/png", "path": f"data:image/png;base64,{base64.b64encode(PNG).decode()}"},
    ]
    parts = [{"type": "text", "text": "Look"}, *({"type": "image", "source": source} for source in sources)]
    after = imported(trajectory(step(1, message=parts), step(2, "agent", "Nice")), tmp_path / "run.json")
    content = after.turns[0].messages[0]["parts"][0]["content"]
    assert after.turns[0].prompt == "Look"
    assert [each if isinstance(each, str) else each["media_type"] for each in content] == ["Look", "image/png"]
    assert after.turns[0].warnings == ["not imported: 3 linked files"]


def test_message_during_a_turn_stays_in_it(tmp_path):
    stored = turn(1)
    steering = {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": "Faster!"}]}
    stored = replace(stored, messages=[*stored.messages, steering, said("", "Ok")[1]])
    exported(session(stored), tmp_path / "x.json", format="atif")
    after = import_session(MemoryStore(), tmp_path / "x.json")
    assert shown(after) == shown(session(stored))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"schema_version": "ATIF-v1.9"}, "'ATIF-v1.9' is not a version that can be read; these are ATIF-v1.0 to"),
        ({"schema_version": "ATIF-v2.0"}, "'ATIF-v2.0' is not a version"),
        ({"steps": "none"}, "not a session: steps"),
        ({"agent": None}, "not a session: agent"),
        ({"steps": [step(1, "robot")]}, "not a session: steps.0.source"),
        ({"steps": [step(1, timestamp="soon")]}, "'soon' is not a time"),
        ({"steps": [step(1), step(2, "agent", metrics={"prompt_tokens": -5})]}, "input_tokens of -5 is not possible"),
        ({"steps": [step(1), step(2, "agent", metrics={"prompt_tokens": 1, "cost_usd": 1e300})]}, "a cost of 1e+300"),
        ({"steps": [step(1, extra={"sessionmagic": {"settings": {"x": 1}}})]}, "'x' is not a"),
    ],
)
def test_broken_and_newer_trajectories_are_refused(tmp_path, content, reason):
    assert reason in refused(MemoryStore(), tmp_path / "x.json", trajectory(step(1)) | content)


@pytest.mark.parametrize("levels", [10, 300])
def test_many_levels_of_sub_agents_are_refused(tmp_path, levels):
    nested = trajectory(step(1), step(2, "agent", "x"), trajectory_id="t")
    for _ in range(levels):
        nested = trajectory(*delegating("t"), trajectory_id="t", subagent_trajectories=[nested])
    assert "more than 8 levels of sub-agents" in refused(MemoryStore(), tmp_path / "x.json", nested)


def test_trajectory_without_steps_is_an_empty_session():
    assert from_atif(trajectory()).turns == ()


def test_all_turns_of_a_sub_agent_and_content_beside_results_are_exported():
    part = {"part_kind": "tool-call", "tool_name": "ask", "args": {}, "tool_call_id": "c"}
    result = {"part_kind": "tool-return", "tool_name": "ask", "content": "found", "tool_call_id": "c"}
    beside = {"part_kind": "user-prompt", "content": ["see also"]}
    messages = [
        *turn(1).messages[:1],
        {"kind": "response", "parts": [part]},
        {"kind": "request", "parts": [result, beside]},
        {"kind": "response", "parts": [{"part_kind": "text", "content": "Done"}]},
    ]
    before = session(turn(1, messages=messages), turn(2, parent=None, caller="1:c"), turn(3, parent="2"), head="1")
    document = Trajectory.model_validate_json(to_atif(before))
    assert [each.message for each in document.subagent_trajectories[0].steps if each.source == "user"] == [
        "prompt 2",
        "prompt 3",
    ]
    assert "see also" in document.model_dump_json()
