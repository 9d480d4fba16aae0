"""How the local model fits a long conversation into its context, with a server that counts words for tokens."""

import asyncio
from itertools import pairwise, takewhile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelResponse, TextPart

from sessionmagic.models import llama
from sessionmagic.models.local import LocalModel
from tests.examples import examples

CONTEXT = 1000
ANSWER = 100
"""The tokens that are kept free for the answer."""
ROOM = CONTEXT - ANSWER


class WordServer:
    """Answers as xllamacpp's server does; each word is a token, and so are two marks of each message.

    Like llama.cpp, it reads the whole prompt from the first message on that differs from the last prompt.
    """

    def __init__(self, answer="well " * 20):
        self.answer = answer
        self.chats = []
        """The prompts that were answered."""
        self.read = []
        """How many tokens of each of these prompts were read."""
        self.refused = 0
        self._cached = []

    def handle_chat_completions(self, body, receive):
        chat = body["messages"]
        sizes = [len(message["content"].split()) + 2 for message in chat]
        total = sum(sizes)
        if total >= CONTEXT:
            error = {"type": "exceed_context_size_error", "n_prompt_tokens": total, "n_ctx": CONTEXT}
            self.refused += receive({"error": error})
            return
        kept = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(chat, self._cached, strict=False))))
        if receive({"prompt_progress": {"total": total, "cache": sum(sizes[:kept])}}):
            self.refused += 1
            return
        self.chats.append(chat)
        self.read.append(sum(sizes[kept:]))
        self._cached = [*chat, {"role": "assistant", "content": self.answer}]
        for word in self.answer.split():
            if receive({"choices": [{"delta": {"content": f"{word} "}}]}):
                return
        receive({"choices": [{"delta": {}, "finish_reason": "stop"}]})


@pytest.fixture
def server(monkeypatch):
    made = WordServer()
    use(monkeypatch, made)
    return made


def use(monkeypatch, server):
    """Let a new process begin, which has this server."""
    monkeypatch.setattr(llama, "_engines", {})
    monkeypatch.setattr(llama, "load", lambda *_: server)


def agent_of_model():
    model = LocalModel("model.gguf", context_length=CONTEXT)
    return Agent(model, instructions="Be kind.", model_settings={"max_tokens": ANSWER})


def talk(prompts, history=()):
    """Ask in one conversation; return its messages and the number of messages left out in each turn."""
    agent, messages, left_out = agent_of_model(), list(history), []

    async def run():
        nonlocal messages
        for prompt in prompts:
            messages = (await agent.run(prompt, message_history=messages)).all_messages()
            left_out.append((messages[-1].provider_details or {}).get("left_out", 0))

    asyncio.run(run())
    return messages, left_out


def turn(number, words=28):
    return f"{number} " + "word " * (words - 1)


def moves(left_out):
    return sum(before != after for before, after in pairwise(left_out))


def test_full_context_loses_a_quarter_at_once_so_that_most_turns_read_only_what_is_new(server):
    _, left_out = talk(map(turn, range(40)))
    begins = next(at for at, number in enumerate(left_out) if number)
    assert 10 < begins < 20
    assert 2 <= moves(left_out) <= 7
    assert left_out == sorted(left_out)
    assert len(server.chats) == 40
    assert server.refused == moves(left_out)
    for chat, read, (before, after) in zip(server.chats[1:], server.read[1:], pairwise(left_out), strict=True):
        assert (read < 60) == (before == after)
        assert sum(len(message["content"].split()) + 2 for message in chat) <= ROOM
        assert [chat[0]["role"], chat[1]["role"]] == ["system", "user"]
        assert chat[1]["content"].startswith(f"{after // 2} ")


def test_conversation_goes_on_at_the_same_message_after_a_restart(server, monkeypatch):
    whole, left_out = talk(map(turn, range(24)))
    stored = ModelMessagesTypeAdapter.dump_json(whole[: 2 * 20])
    restarted = WordServer(server.answer)
    use(monkeypatch, restarted)
    _, again = talk(map(turn, range(20, 24)), ModelMessagesTypeAdapter.validate_json(stored))
    assert again == left_out[20:]
    assert restarted.chats == server.chats[20:]


def test_other_models_answers_in_between_do_not_move_the_beginning(server):
    messages, left_out = talk(map(turn, range(20)))
    other = ModelResponse(parts=[TextPart("well")], provider_name="openai", provider_details={"left_out": 1})
    asked = messages[-2]
    _, [after] = talk(["And now?"], [*messages, asked, other])
    assert after == left_out[-1]
    assert server.chats[-1][1] == server.chats[-2][1]


@pytest.mark.parametrize("recorded", [-1, 3, 10**6, "2", None, 2.0])
def test_record_that_does_not_fit_the_history_is_ignored(server, recorded):
    messages, _ = talk([turn(0), turn(1)])
    messages[-1].provider_details = {"left_out": recorded}
    _, [left_out] = talk(["And now?"], messages)
    assert left_out == 0
    assert len(server.chats[-1]) == 6


def test_last_message_is_read_even_if_nothing_else_fits(server):
    _, left_out = talk([turn(0), turn(1, ROOM - 10), turn(2)])
    assert left_out == [0, 2, 4]
    assert [len(chat) for chat in server.chats] == [2, 2, 2]


def test_stopped_answer_records_what_it_was_given_without(server):
    messages, left_out = talk(map(turn, range(20)))

    async def stopped():
        async with agent_of_model().run_stream("And now?", message_history=messages) as stream:
            async for _ in stream.stream_text(delta=True, debounce_by=None):
                await stream.cancel()
        return stream.all_messages()

    assert asyncio.run(stopped())[-1].provider_details == {"left_out": left_out[-1]}
    assert server.chats


@settings(max_examples=examples(30))
@given(st.lists(st.integers(1, 400), min_size=1, max_size=40))
def test_every_prompt_fits_and_the_beginning_only_moves_on(sizes):
    with pytest.MonkeyPatch.context() as patch:
        server = WordServer()
        use(patch, server)
        _, left_out = talk(turn(at, size) for at, size in enumerate(sizes))
    assert left_out == sorted(left_out)
    assert len(server.chats) == len(sizes)
    for chat in server.chats:
        assert sum(len(message["content"].split()) + 2 for message in chat) <= ROOM
