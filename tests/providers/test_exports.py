"""Exports in the forms of other libraries, as these libraries read them."""

import json

import pytest
from pydantic import TypeAdapter

from sessionmagic.sessions.formats.openai_chat import to_openai_chat
from sessionmagic.sessions.formats.opentelemetry import _attributes
from tests.stored import OWN_SETTINGS, RULES, eventful, exported, session, turn
from tests.turns import manager_on, on_a_loop


@pytest.fixture
def manager():
    from sessionmagic import MemoryStore

    return manager_on(MemoryStore())


@on_a_loop
async def test_openai_chat_is_what_its_library_sends(manager, tmp_path):
    from openai.types.chat import ChatCompletionMessageParam

    losses, text = exported(await eventful(manager), tmp_path / "chat.jsonl")
    assert losses == [
        "1 turn on other branches",
        "1 piece of reasoning",
        "1 turn with settings",
        OWN_SETTINGS,
        RULES,
        "3 turns with tokens, cost and times",
        "1 turn that did not complete",
    ]
    assert text.count("\n") == 1
    messages = json.loads(text)["messages"]
    for message in messages:
        TypeAdapter(ChatCompletionMessageParam).validate_python(message)
    roles = [message["role"] for message in messages]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user", "assistant", "user", "assistant"]
    assert messages[2]["tool_calls"][0]["function"] == {"name": "run", "arguments": '{"code": "x = 1"}'}
    assert messages[3] == {"role": "tool", "tool_call_id": messages[2]["tool_calls"][0]["id"], "content": "x < 1"}
    assert [part["type"] for part in messages[5]["content"]] == ["text", "image_url", "text"]


def test_call_without_a_result_gets_one_in_openai_chat():
    call = {"part_kind": "tool-call", "tool_name": "run", "args": {"code": "1"}, "tool_call_id": "c"}
    request = {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": "Hi"}]}
    stored = turn(1, messages=[request, {"kind": "response", "parts": [call]}])
    messages = json.loads(to_openai_chat(session(stored)))["messages"]
    assert messages[-1] == {"role": "tool", "tool_call_id": "c", "content": "interrupted"}


def test_document_is_a_file_in_openai_chat():
    pdf = {"kind": "binary", "data": "JVBERg==", "media_type": "application/pdf"}
    request = {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": ["Hi", pdf]}]}
    [message] = json.loads(to_openai_chat(session(turn(1, messages=[request]))))["messages"]
    assert message["content"][1]["file"] == {
        "filename": "file.pdf",
        "file_data": "data:application/pdf;base64,JVBERg==",
    }


def attributes(span):
    return {each["key"]: next(iter(each["value"].values())) for each in span["attributes"]}


def spans_in(text):
    [resource] = json.loads(text)["resourceSpans"]
    [scope] = resource["scopeSpans"]
    return scope["spans"]


@on_a_loop
async def test_opentelemetry_has_a_trace_for_each_turn(manager, tmp_path):
    losses, text = exported(await eventful(manager), tmp_path / "chat.json", format="otel")
    assert losses == [OWN_SETTINGS, RULES]
    spans = spans_in(text)
    first = [span for span in spans if span["traceId"] == spans[0]["traceId"]]
    assert [span["name"] for span in first] == [
        "invoke_agent assistant",
        "chat thinks",
        "execute_tool run",
        "chat thinks",
    ]
    assert len({span["traceId"] for span in spans}) == 4
    assert {span.get("parentSpanId") for span in first[1:]} == {first[0]["spanId"]}
    assert all(int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) for span in spans)
    chat, call, last = map(attributes, first[1:])
    assert json.loads(chat["gen_ai.system_instructions"]) == [{"type": "text", "content": "Be\nbrief"}]
    assert json.loads(chat["gen_ai.input.messages"])[0]["role"] == "user"
    [answer] = json.loads(chat["gen_ai.output.messages"])
    assert [part["type"] for part in answer["parts"]] == ["thinking", "text", "tool_call"]
    assert (chat["gen_ai.request.seed"], chat["gen_ai.usage.input_tokens"]) == ("7", "50")
    assert (call["gen_ai.tool.call.arguments"], call["gen_ai.tool.call.result"]) == ('{"code": "x = 1"}', "x < 1")
    assert json.loads(last["gen_ai.input.messages"])[-1]["role"] == "tool"
    failed = next(span for span in spans if attributes(span).get("sessionmagic.turn") == "4")
    assert failed["status"] == {"code": 2, "message": "breaks: RuntimeError: it broke"}
    _, again = exported(manager.sessions.load("chat"), tmp_path / "2.json", format="otel")
    assert again == text


def test_sub_agent_is_a_span_within_its_call_in_opentelemetry(tmp_path):
    call = {"part_kind": "tool-call", "tool_name": "ask", "args": {}, "tool_call_id": "c"}
    request = {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": "Hi"}]}
    main = turn(1, messages=[request, {"kind": "response", "parts": [call], "timestamp": "2026-01-01T00:00:00Z"}])
    sub = turn(2, parent=None, caller="1:c")
    _, text = exported(session(main, sub, head="1"), tmp_path / "x.json", format="otel")
    spans = spans_in(text)
    called, inner = spans[2:4]
    assert inner["parentSpanId"] == called["spanId"]
    assert {span["traceId"] for span in spans} == {spans[0]["traceId"]}
    assert called["status"]["message"] == "interrupted"


def test_values_of_all_kinds_are_opentelemetry_attributes():
    values = {"flag": True, "count": 2, "share": 0.5, "stops": ["a", "b"], "bias": {"7": 1}, "none": None}
    assert {each["key"]: each["value"] for each in _attributes(values)} == {
        "flag": {"boolValue": True},
        "count": {"intValue": "2"},
        "share": {"doubleValue": 0.5},
        "stops": {"arrayValue": {"values": [{"stringValue": "a"}, {"stringValue": "b"}]}},
        "bias": {"stringValue": '{"7": 1}'},
    }
