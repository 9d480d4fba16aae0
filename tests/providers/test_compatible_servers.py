"""What OpenAI-compatible servers really stream, through the real SDK, against a scripted server on loopback."""

import asyncio
import gzip
import json
import threading
import warnings

import pytest

from sessionmagic import MemoryStore, Models, SessionManager
from sessionmagic.conversation.events import TextDelta
from sessionmagic.conversation.transcript import ReasoningBlock, TextBlock, ToolBlock
from sessionmagic.exceptions import TurnFailedError
from tests.provider import ScriptedProvider, answers, call_delta, calls, chunk, replies, streams, usage
from tests.turns import DEADLINE, events_of, on_a_loop, whole


def look(path: str) -> str:
    """Look."""
    return f"saw {path}"


async def ask(*scripts, **options):
    """Ask a server with these scripts; return the result, the turn and the server."""
    with ScriptedProvider(*scripts) as provider:
        manager = SessionManager(MemoryStore(), Models("test", endpoints={"lab": provider.url}))
        turn = await manager.run("Hello", session="chat", model="lab:m", **options)
        whole(await events_of(turn))
        return await turn.result(), turn, provider


def blocks(turn, kind):
    return [block for block in turn.transcript.blocks if isinstance(block, kind)]


async def looked(*deltas, **options):
    """Stream these calls; return the arguments and outcomes of the calls as the turn shows and as it stores them."""
    result, turn, provider = await ask(calls(*deltas, **options), answers("Done."), tools=[look], yes=True)
    assert result.text == "Done."
    shown = [(block.tool, block.args, block.outcome) for block in blocks(turn, ToolBlock)]
    sent = [
        (call["function"]["name"], json.loads(call["function"]["arguments"]))
        for message in provider.requests[1]["messages"]
        for call in message.get("tool_calls", [])
    ]
    assert [entry[:2] for entry in shown] == sent
    return [(tool, args.get("path"), outcome) for tool, args, outcome in shown]


def whole_call(index, call_id, path, **more):
    return call_delta(index, call_id, "look", json.dumps({"path": path}), **more)


ONE = [("look", "a", "success")]
TWO = [("look", "a", "success"), ("look", "b", "success")]
PIECES = ('{"path"', ': "a"}')


@pytest.mark.parametrize(
    ("deltas", "expected"),
    [
        ([[whole_call(0, "c1", "a"), whole_call(0, "c2", "b")]], TWO),
        ([whole_call(0, "c1", "a"), whole_call(0, "c2", "b")], TWO),
        ([whole_call(0, None, "a"), whole_call(0, None, "b")], TWO),
        ([[whole_call(0, None, "a"), call_delta(0, None, "list", "{}")]], [ONE[0], ("list", None, "retried")]),
        ([whole_call(0, "same", "a"), whole_call(1, "same", "b")], TWO),
        (
            [
                *(call_delta(None, name, "look", '{"path": ') for name in "ab"),
                *(call_delta(None, name, None, f'"{name}"}}') for name in "ab"),
            ],
            TWO,
        ),
        ([whole_call(1, "c1", "a"), whole_call(2, "c2", "b")], TWO),
        ([whole_call(None, "c1", "a"), whole_call(None, "c2", "b")], TWO),
        ([[whole_call(None, None, "a"), whole_call(None, None, "b")]], TWO),
        ([[whole_call(None, None, "a"), whole_call(None, None, "a")]], [ONE[0], ONE[0]]),
        ([call_delta(0, "c", "look", ""), *(call_delta(0, None, None, piece) for piece in PIECES)], ONE),
        ([call_delta(None, "c", "look", ""), *(call_delta(None, None, None, piece) for piece in PIECES)], ONE),
        ([call_delta(0, "c", "look", piece) for piece in PIECES], ONE),
        ([call_delta(0, None, "look", piece) for piece in PIECES], ONE),
        ([call_delta(None, None, "look", piece) for piece in PIECES], ONE),
        ([call_delta(0, f"c{piece}", "look", piece) for piece in PIECES], ONE),
        (
            [call_delta(0, "c", "lo", ""), call_delta(0, None, "ok", PIECES[0]), call_delta(0, None, None, PIECES[1])],
            ONE,
        ),
        (
            [call_delta(0, "c", "look"), *(call_delta(0, None, None, part) for part in ('{"path"', '{"path": "a"}'))],
            ONE,
        ),
        (
            [
                call_delta(0, "c", "look", ""),
                *(call_delta(0, "c", "look", '{"path": "a"}'[:end]) for end in range(1, 14)),
            ],
            ONE,
        ),
        ([call_delta(0, "c", "look", '{"path":'), call_delta(0, None, None, '{"path": "a"}')], ONE),
        ([*(call_delta(0, "c", "look", piece) for piece in PIECES), call_delta(0, "c", "look", "".join(PIECES))], ONE),
        ([*(call_delta(0, "c", "look", piece) for piece in PIECES), call_delta(0, None, None, '{"path":"a"}')], ONE),
        ([whole_call(0, None, "a"), whole_call(0, None, "a")], ONE),
        ([call_delta(0, "c", "look", "{}"), *(call_delta(0, None, None, piece) for piece in PIECES)], ONE),
        ([call_delta(0, "c", "look", {"path": "a"})], ONE),
        (
            [call_delta(0, "c", "look", '{"path": "\ud83d'), call_delta(0, None, None, '\ude00"}')],
            [("look", "😀", "success")],
        ),
        ([[whole_call(0, 1, "a"), whole_call(1, 2, "b")]], TWO),
        ([call_delta(0, "c"), call_delta(0, None, None, PIECES[0]), call_delta(0, None, "look", PIECES[1])], ONE),
    ],
    ids=[
        "one index, one chunk",
        "one index, two chunks",
        "one index, no ids",
        "one index, other name",
        "one id",
        "side by side, no index",
        "index from 1",
        "no index",
        "no index, no id",
        "equal, no index, no id",
        "pieces",
        "pieces without index",
        "name and id in each delta",
        "name in each delta, no id",
        "name in each delta, no index, no id",
        "new id in each delta",
        "name in pieces",
        "cumulative",
        "cumulative by characters",
        "cumulative, two pieces",
        "whole at the end",
        "whole at the end, other blanks",
        "whole twice",
        "empty object first",
        "object",
        "halves of a character",
        "numbers as ids",
        "name at last",
    ],
)
@on_a_loop
async def test_calls_are_told_apart_and_get_their_arguments(deltas, expected):
    assert await looked(*deltas) == expected


@pytest.mark.parametrize(
    "unnamed",
    [
        [{"index": 0, "id": "c1", "function": None}],
        [{"index": 0, "id": "c1", "function": {"name": 7, "arguments": "{}"}}],
        [None],
        {"index": 0},
        "none",
    ],
)
@on_a_loop
async def test_text_after_what_names_no_tool_is_the_answer(unnamed):
    result, _, _ = await ask(streams({"tool_calls": unnamed}, "It is fine."), tools=[look])
    assert (result.status, result.text) == ("completed", "It is fine.")


@on_a_loop
async def test_argument_that_repeats_what_came_before_is_kept():
    assert await looked(call_delta(0, "c", "look", '{"path": "'), call_delta(0, None, None, '{\\"path\\": \\"b"}')) == [
        ("look", '{"path": "b', "success")
    ]


@pytest.mark.parametrize(
    "ending",
    [
        {
            "choices": [
                {"index": 0, "delta": {}, "finish_reason": "error", "error": {"code": 502, "message": "It died"}}
            ]
        },
        {"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}], "message": "It died"},
        {"error": {"message": "It died", "code": 502}},
        {"error": "It died"},
        {"object": "error", "message": "It died", "code": 500},
        {"object": "error", "detail": [{"msg": "It died"}]},
    ],
    ids=["choice", "finish", "error", "text", "vllm", "detail"],
)
@pytest.mark.parametrize("said", [(), ("Half",)], ids=["at once", "after text"])
@on_a_loop
async def test_error_in_a_stream_fails_the_turn_with_the_servers_words_and_keeps_what_was_said(ending, said):
    result, turn, _ = await ask(streams(*said, ending, finish=None))
    assert (result.status, result.text) == ("failed", "".join(said))
    assert type(result.error) is TurnFailedError
    assert "It died" in str(result.error)
    if said:
        assert result.raw_messages[-1]["parts"][0]["content"] == "Half"
    assert turn.transcript.text == "".join(said)


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ('{"error": {"message": "No such engine"}}', "application/json", "No such engine"),
        ('{"detail": "No such engine"}', "application/json; charset=utf-8", "No such engine"),
        ('{"status": "busy"}', "application/json", "busy"),
        ("<html>Welcome</html>", "text/html", "a web page"),
        ("", "application/json", "answered with nothing"),
        ('{"error": {"message": "No such engine"}}', "text/plain", "No such engine"),
        ('{"error": {"message": "No such engine"}}', "text/event-stream", "No such engine"),
        ("busy", "text/plain", "the server did not answer as expected: busy"),
    ],
)
@on_a_loop
async def test_body_that_is_no_stream_fails_the_turn_with_its_words(body, kind, words):
    result, _, _ = await ask(replies(body, kind))
    assert result.status == "failed"
    assert words in str(result.error)


@pytest.mark.parametrize("items", [(), (b": wait\n\n",), (b"data: null\n\n", b"data: []\n\n")])
@on_a_loop
async def test_stream_without_a_chunk_is_called_an_empty_answer(items):
    result, _, _ = await ask(streams(*items, finish=None))
    assert result.status == "failed"
    assert "the answer was empty; ask again, or choose another model" in str(result.error)


@pytest.mark.parametrize("odd", [b"data: null\n\n", b'data: {"choices": [null]}\n\n', b'data: {"choices": null}\n\n'])
@on_a_loop
async def test_chunk_that_is_none_does_not_end_the_answer(odd):
    result, _, _ = await ask(streams("Hi ", odd, "there"))
    assert (result.status, result.text) == ("completed", "Hi there")


@on_a_loop
async def test_server_that_does_not_stream_is_understood():
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": '{"path": "a"}'}}
    first = {"role": "assistant", "content": None, "tool_calls": [call]}
    second = {"role": "assistant", "content": "<think>Hm.</think>Done."}
    bodies = [
        {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": usage(5, 2)}
        | {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}
        for message, finish in ((first, "tool_calls"), (second, "stop"))
    ]
    result, turn, _ = await ask(*(replies(json.dumps(body)) for body in bodies), tools=[look], yes=True)
    assert (result.text, result.usage.input_tokens) == ("Done.", 10)
    assert [block.args for block in blocks(turn, ToolBlock)] == [{"path": "a"}]
    assert [block.text for block in blocks(turn, ReasoningBlock)] == ["Hm."]


@pytest.mark.parametrize(
    ("parts", "reasoning", "text"),
    [
        (("<think>", "plan", "</think>", "Hi"), "plan", "Hi"),
        (("<think>\n", "plan\n", "</think>\n\n", "Hi"), "\nplan\n", "Hi"),
        (("\n<th", "ink>pl", "an</t", "hink>H", "i"), "plan", "Hi"),
        (("<think>plan</think>Hi",), "plan", "Hi"),
        (
            (
                "<think>one <b",
                "> two</think>Hi",
            ),
            "one <b> two",
            "Hi",
        ),
        (("plan", "</think>", "Hi"), "plan", "Hi"),
        (("My pl", "an\n</th", "ink>\n\nHi"), "My plan\n", "Hi"),
        (("My plan</think>\nHi",), "My plan", "Hi"),
        (("</think>\n\nHi",), "", "Hi"),
        (("Use ", "<think>", " and ", "</think>", " so."), "", "Use <think> and </think> so."),
        (("A ", "`", "</think>", "`", " ends it."), "", "A `</think>` ends it."),
        (("It ends with </think> and", " so on."), "", "It ends with </think> and so on."),
        (("```\n", "</think>", "\n```"), "", "```\n</think>\n```"),
        (("<think>plan</think>", "It is ", "<think>", "x", "</think>", "."), "plan", "It is <think>x</think>."),
        (("1 <", " 2"), "", "1 < 2"),
        (("<thi",), "", "<thi"),
        (("a </thi",), "", "a </thi"),
    ],
)
@on_a_loop
async def test_reasoning_stands_between_tags_at_the_start_of_an_answer(parts, reasoning, text):
    result, turn, _ = await ask(streams(*parts))
    assert result.text == text
    assert "".join(block.text for block in blocks(turn, ReasoningBlock)) == reasoning
    stored = result.raw_messages[-1]["parts"]
    kinds = {"text": "", "thinking": ""}
    for part in stored:
        kinds[part["part_kind"]] += part["content"]
    assert kinds == {"text": text, "thinking": reasoning}


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
@on_a_loop
async def test_reasoning_in_a_field_is_reasoning_whatever_its_form(field):
    parts = ["Hm", {"text": ", so"}, [{"type": "text", "text": "."}], None, 3]
    result, turn, _ = await ask(streams(*({field: part} for part in parts), "Hi"))
    assert result.text == "Hi"
    assert [block.text for block in blocks(turn, ReasoningBlock)] == ["Hm, so."]


@on_a_loop
async def test_content_in_parts_is_text_and_reasoning():
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    result, turn, _ = await ask(streams({"content": [thought]}, {"content": [{"type": "text", "text": "Hi"}]}))
    assert result.text == "Hi"
    assert [block.text for block in blocks(turn, ReasoningBlock)] == ["Hm."]


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (("A ", "\ud83d", "\ude00", "!"), "A 😀!"),
        (("A \ud83d", "\ude00!"), "A 😀!"),
        (("A \ud83d",), "A \ufffd"),
        (("A \ude00!",), "A \ufffd!"),
    ],
)
@on_a_loop
async def test_halves_of_a_character_are_joined(parts, text):
    result, turn, _ = await ask(streams(*parts))
    assert (result.status, result.text, turn.transcript.text) == ("completed", text, text)


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        ([usage(100, 1), usage(100, 2), usage(100, 3)], (100, 3)),
        ([usage(100, 3)] * 500, (100, 3)),
        ([None, usage(100, 3), None], (100, 3)),
        ([usage(100, 3), usage(0, 0)], (100, 3)),
        ([usage(0, 0), usage(100, 3)], (100, 3)),
        ([usage(100, 3), {"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}], (100, 3)),
        ([usage(100, 3) | {"total_tokens": None}], (100, 3)),
        ([{"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}], (0, 0)),
        ([{}], (0, 0)),
        ([[]], (0, 0)),
    ],
    ids=[
        "grows",
        "repeated",
        "between nulls",
        "zeros after",
        "zeros before",
        "nulls after",
        "no total",
        "nulls",
        "{}",
        "[]",
    ],
)
@on_a_loop
async def test_last_usage_counts(reported, expected):
    chunks = [chunk({"content": "a"}, usage=each) for each in reported]
    result, _, _ = await ask(streams(*chunks, chunk({}, "stop"), finish=None))
    assert (result.usage.input_tokens, result.usage.output_tokens) == expected


@on_a_loop
async def test_odd_streams_cause_no_python_warnings():
    nulls = {"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result, _, _ = await ask(
            streams({"reasoning": {"text": "hm"}, "content": "Hi"}, chunk({}, "stop", usage=nulls), finish=None)
        )
    assert (result.status, result.text) == ("completed", "Hi")


@pytest.mark.parametrize(
    "script",
    [
        streams("It is ", "fine.", end="\r\n"),
        streams("It is ", "fine.", end="\r"),
        streams("It is ", "fine.", done=False),
        streams(b": keep-alive\n\n", "It is ", b": OPENROUTER PROCESSING\n\n", "fine."),
        streams(b"event: message\nid: 1\nretry: 10\n", "It is ", "fine."),
        streams(chunk(choices=[]), "It is ", chunk(choices=[]), chunk(choices=None), "fine."),
        streams("It is ", chunk(choices=[{"index": 0, "delta": None, "finish_reason": None}]), "fine."),
        streams("It is ", "fine.", kind="application/json"),
        streams("It is ", "fine.", kind="text/plain"),
    ],
    ids=["CRLF", "CR", "no DONE", "comments", "fields", "no choices", "no delta", "wrong type", "plain text"],
)
@on_a_loop
async def test_form_of_the_stream_makes_no_difference(script):
    result, turn, _ = await ask(script)
    assert (result.status, result.text) == ("completed", "It is fine.")
    assert turn.transcript.warnings == ()


@on_a_loop
async def test_pieces_that_arrive_together_are_one_event():
    body = "".join(f"data: {json.dumps(chunk({'content': part}))}\n\n" for part in ("It ", "is ", "fine."))
    _, turn, _ = await ask(streams(body.encode()))
    assert [event.text for event in await events_of(turn) if isinstance(event, TextDelta)] == ["It is fine."]


@on_a_loop
async def test_piece_is_shown_while_the_next_one_is_awaited():
    shown = [threading.Event(), threading.Event()]

    def script(handler):
        handler.stream()
        for text, seen in zip(("It is ", "fine. "), shown, strict=True):
            handler.send_chunk({"content": text})
            assert seen.wait(DEADLINE)
        handler.send_chunk({}, "stop", usage=usage(7, 3))
        handler.send("data: [DONE]\n\n")
        handler.send("")

    with ScriptedProvider(script) as provider:
        manager = SessionManager(MemoryStore(), Models("test", endpoints={"lab": provider.url}))
        turn = await manager.run("Hello", session="chat", model="lab:m")
        waiting = iter(shown)
        async for event in turn.events():
            if isinstance(event, TextDelta):
                next(waiting).set()
        assert (await turn.result()).status == "completed"


@on_a_loop
async def test_stopped_turn_closes_the_connection():
    closed, tasks = threading.Event(), asyncio.all_tasks()

    def script(handler):
        handler.stream()
        handler.send_chunk({"content": "It is "})
        assert handler.rfile.read(1) == b""
        closed.set()

    with ScriptedProvider(script) as provider:
        manager = SessionManager(MemoryStore(), Models("test", endpoints={"lab": provider.url}))
        turn = await manager.run("Hello", session="chat", model="lab:m")
        async for event in turn.events():
            if isinstance(event, TextDelta):
                turn.cancel()
        result = await turn.result()
        assert await asyncio.to_thread(closed.wait, DEADLINE)
    assert (result.status, result.text) == ("interrupted", "It is ")
    assert asyncio.all_tasks() <= tasks


@on_a_loop
async def test_end_does_not_wait_for_a_server_that_keeps_the_connection_open():
    ended = threading.Event()

    def script(handler):
        handler.stream()
        handler.send_chunk({"content": "It is fine."})
        handler.send_chunk({}, "stop", usage=usage(7, 3))
        handler.send("data: [DONE]\n\n")
        assert ended.wait(DEADLINE)

    with ScriptedProvider(script) as provider:
        manager = SessionManager(MemoryStore(), Models("test", endpoints={"lab": provider.url}))
        turn = await manager.run("Hello", session="chat", model="lab:m")
        result = await turn.result()
        ended.set()
    assert (result.status, result.text) == ("completed", "It is fine.")


@on_a_loop
async def test_character_whose_bytes_come_apart_is_whole():
    line = f"data: {json.dumps(chunk({'content': 'Grüße 😀'}), ensure_ascii=False)}\n\n".encode()
    result, _, _ = await ask(streams(*(bytes([byte]) for byte in line)))
    assert result.text == "Grüße 😀"


@on_a_loop
async def test_compressed_stream_is_read():
    lines = "".join(f"data: {json.dumps(chunk({'content': part}))}\n\n" for part in ("It is ", "fine."))
    body = gzip.compress(f"{lines}data: {json.dumps(chunk({}, 'stop'))}\n\ndata: [DONE]\n\n".encode())
    result, _, _ = await ask(streams(body, finish=None, done=False, content_encoding="gzip"))
    assert result.text == "It is fine."


@on_a_loop
async def test_text_before_a_call_is_kept():
    for text in ("I look", "Look <", "I ", "<thi"):
        for content in ({}, {"content": None}, {"content": ""}):
            call = {"tool_calls": [whole_call(0, "c", "a")]} | content
            result, turn, _ = await ask(
                streams(text, call, finish="tool_calls"), answers("Done."), tools=[look], yes=True
            )
            assert [type(block) for block in turn.transcript.blocks] == [TextBlock, ToolBlock, TextBlock]
            assert result.text == f"{text}\n\nDone."
