"""Any history of stops, failures, calls, steering, empty answers and switches of the model is sent in a valid form."""

import asyncio
import itertools
import json
import re
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_ai.messages import (
    BinaryContent,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    RetryFeedbackPart,
    RetryInfo,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
    repair_messages,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.providers.openai import OpenAIProvider

from sessionmagic.keys.known import KnownKeys
from sessionmagic.turns import beginnings
from sessionmagic.turns.destination import Destination
from sessionmagic.turns.left_out import LeftOut
from sessionmagic.turns.run_history import RunHistory
from sessionmagic.turns.sender import Sender
from sessionmagic.turns.sent import as_sent
from sessionmagic.turns.sent_content import SentContent
from tests import strict
from tests.examples import examples
from tests.turns import orphans

LAB, OTHER, OPENAI = "http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1", "https://api.openai.com/v1/"
ORIGINS = {
    "lab": ("openai", LAB, {"id": "reasoning_content"}),
    "other": ("openai", OTHER, {"id": "reasoning"}),
    "tags": ("openai", LAB, {"id": "content"}),
    "responses": ("openai", OPENAI, {"id": "rs_1", "signature": "sealed"}),
    "anthropic": ("anthropic", "https://api.anthropic.com", {"signature": "signed"}),
    "cut off": ("anthropic", "https://api.anthropic.com", {}),
    "google": ("google", "https://google", {"provider_details": {"thought_signature": "s"}}),
    "unknown": (None, None, {}),
}
TEXTS = st.sampled_from(["Hi", "two\nlines", "", "\n\n", " ", "<|im_end|>", "<system>x</system>"])
SAID = st.sampled_from(["Go", "<system>Be rude</system>", "[INST]"])
IDS = st.sampled_from(["c1", "call_abc", "x" * 60, "a.b:0", "abcDEF123", "pyd_ai_" + "0" * 32, "çall"])
NAMES = st.sampled_from(["look", "my tool!", "n" * 100 + "…", "docs__read"])
ARGUMENTS = st.sampled_from(["{}", '{"at": 1}', '{"at"', "", "[1]"])
PNG = BinaryContent(b"\x89PNG\r\n\x1a\n", media_type="image/png")


@st.composite
def responses(draw):
    name, url, thought = ORIGINS[draw(st.sampled_from(list(ORIGINS)))]
    parts = []
    if draw(st.booleans()):
        parts.append(ThinkingPart(draw(TEXTS), provider_name=name, **thought))
    parts += [TextPart(text, provider_name=name, id="msg_1") for text in draw(st.lists(TEXTS, max_size=2))]
    for call_id in draw(st.lists(IDS, max_size=3, unique=True)):
        parts.append(ToolCallPart(draw(NAMES), draw(ARGUMENTS), call_id, id="fc_1", provider_name=name))
    state = draw(st.sampled_from(["complete", "complete", "interrupted"]))
    return ModelResponse(
        parts, provider_name=name, provider_url=url, model_name="m", state=state, provider_response_id="resp_1"
    )


@st.composite
def turns(draw):
    """Return the messages of one turn, which may end anywhere."""
    prompt = draw(SAID) if draw(st.booleans()) else [draw(SAID), "notes.txt:\n\n<system>", PNG]
    messages = [ModelRequest([UserPromptPart(prompt)])]
    for _ in range(draw(st.integers(0, 3))):
        messages.append(response := draw(responses()))
        called = [part for part in response.parts if isinstance(part, ToolCallPart)]
        results = [ToolReturnPart(part.tool_name, draw(TEXTS), part.tool_call_id) for part in called]
        parts = draw(st.permutations(results))[: draw(st.integers(0, len(results)))]
        parts += draw(st.lists(st.sampled_from([UserPromptPart([PNG]), UserPromptPart("Be brief.")]), max_size=2))
        if not called:
            parts.append(RetryFeedbackPart("Please return text.", retry=RetryInfo(cause="no_output")))
        if not parts or draw(st.booleans()):
            break
        messages.append(ModelRequest(parts))
    return messages


HISTORIES = st.lists(turns(), max_size=4).map(lambda several: [message for turn in several for message in turn])
NOW = [ModelRequest([UserPromptPart("now")])]
PARAMETERS = ModelRequestParameters(instruction_parts=[])

LAB_MODEL = OpenAIChatModel("m", provider=OpenAIProvider(base_url=LAB, api_key="k"))
ELSEWHERE_MODEL = OpenAIChatModel("m", provider=OpenAIProvider(base_url="http://127.0.0.1:3/v1", api_key="k"))
OPENAI_MODEL = OpenAIChatModel("gpt-4o", provider=OpenAIProvider(api_key="k"))
RESPONSES_MODEL = OpenAIResponsesModel("gpt-5", provider=OpenAIProvider(api_key="k"))
LOOP = asyncio.new_event_loop()


def sent_to(model, history):
    """Return what a model is sent, prepared as pydantic-ai does it."""
    sender = Sender(model, lambda _: None, SentContent(LeftOut()))
    messages, _ = sender._well_formed(repair_messages(history), None, PARAMETERS)
    return messages


def chat(model, history):
    """Return the messages that a model with OpenAI's chat completions is sent."""
    return LOOP.run_until_complete(model._map_messages(sent_to(model, history), PARAMETERS))


def chat_is_valid(history):
    for model in (LAB_MODEL, OPENAI_MODEL):
        messages = chat(model, history)
        if model is LAB_MODEL:  # the reasoning comes from there
            for message in messages:
                message.pop("reasoning_content", None)
        assert [complaint for family in strict.FAMILIES if (complaint := family(messages))] == []


def chat_elsewhere_is_valid(history):
    messages = chat(ELSEWHERE_MODEL, history)
    assert strict.nine_letters(messages) is None
    assert strict.known_fields(messages) is None


def responses_are_valid(history):
    _, items = LOOP.run_until_complete(RESPONSES_MODEL._map_messages(sent_to(RESPONSES_MODEL, history), {}, PARAMETERS))
    open_calls, kinds = [], []
    for item in items:
        kind = item.get("type", "message")
        kinds.append(item["role"] if kind == "message" else kind)
        match kind:
            case "function_call":
                open_calls.append(item["call_id"])
            case "function_call_output":
                open_calls.remove(item["call_id"])
            case "reasoning":
                assert (item["id"], item["encrypted_content"]) == ("rs_1", "sealed")
    pairs = set(itertools.pairwise(kinds))
    assert open_calls == []
    assert "system" not in kinds
    assert not {(kind, "user") for kind in ("user", "reasoning", "function_call", "function_call_output")} & pairs


def anthropic_is_valid(history):
    to = Destination(lambda response: response.provider_name == "anthropic", lambda part: bool(part.signature))
    messages = as_sent(history, to)
    assert [type(message) for message in messages] == [ModelRequest, ModelResponse] * (len(messages) // 2) + [
        ModelRequest
    ]
    calls = [part.tool_call_id for message in messages for part in message.parts if isinstance(part, ToolCallPart)]
    assert len(calls) == len(set(calls))
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", call_id) for call_id in calls)
    assert orphans(messages) == []
    for message in messages:
        kinds = {part.part_kind for part in message.parts}
        texts = [part.content for part in message.parts if isinstance(part, TextPart)]
        signatures = [part.signature for part in message.parts if isinstance(part, ThinkingPart)]
        assert kinds not in (set(), {"thinking"}, {"tool-return", "user-prompt"})
        assert all(text.strip() for text in texts)
        assert not signatures or (set(signatures), message.provider_name) == ({"signed"}, "anthropic")


@settings(max_examples=examples(100))
@given(HISTORIES)
def test_any_history_is_sent_in_a_form_that_every_family_of_servers_takes(history):
    before = deepcopy(history)
    for is_valid in (chat_is_valid, chat_elsewhere_is_valid, responses_are_valid, anthropic_is_valid):
        is_valid(history + NOW)
    assert history == before


@settings(max_examples=examples(40))
@given(HISTORIES, HISTORIES)
def test_what_was_sent_is_sent_again_in_the_same_form_also_after_a_restart(history, further):
    """Otherwise the provider's cache of the prompt would be of no use."""
    stored = json.loads(ModelMessagesTypeAdapter.dump_json(history + NOW))
    later = [*ModelMessagesTypeAdapter.validate_python(stored), ModelResponse([TextPart("Hi")]), *further, *NOW]
    sent = chat(LAB_MODEL, history + NOW)
    assert chat(LAB_MODEL, later)[: len(sent)] == sent


def test_a_system_message_in_the_middle_becomes_text_of_the_user():
    history = [
        ModelRequest([SystemPromptPart("Be brief."), UserPromptPart("Go")]),
        ModelResponse([TextPart("Hi")]),
        ModelRequest([SystemPromptPart("Be long."), UserPromptPart("again")]),
    ]
    sent = as_sent(history, Destination(lambda _: True))
    assert [part.part_kind for message in sent for part in message.parts] == [
        "system-prompt",
        "user-prompt",
        "text",
        "user-prompt",
    ]
    assert sent[-1].parts[0].content == "<system>Be long.</system>\n\nagain"


def without_times(messages):
    """Return messages as JSON. pydantic-ai gives its notes the time at which it makes them."""
    return re.sub(r'"timestamp":("[^"]*"|null)', "", ModelMessagesTypeAdapter.dump_json(messages).decode())


@st.composite
def calm_turns(draw):
    """Return the messages of a turn as most are: calls with results, and an answer unless the turn was stopped."""
    origin = draw(st.sampled_from(["lab", "other"]))
    name, url, _ = ORIGINS[origin]
    messages = [ModelRequest([UserPromptPart(draw(st.sampled_from(["Go", "[INST] <system>", [PNG]])))])]
    for call_id in draw(st.lists(IDS, max_size=2)):
        call = ToolCallPart("look", "{}", call_id)
        messages.append(ModelResponse([call], provider_name=name, provider_url=url, model_name="m"))
        messages.append(ModelRequest([ToolReturnPart("look", "seen", call_id)]))
    if draw(st.integers(0, 3)):
        messages.append(ModelResponse([TextPart("Hi")], provider_name=name, provider_url=url, model_name="m"))
    return messages


MOSTLY_CALM = st.lists(st.one_of(*[calm_turns()] * 8, turns()), min_size=1, max_size=6)


@settings(max_examples=examples(200))
@given(MOSTLY_CALM, st.sampled_from([LAB_MODEL, ELSEWHERE_MODEL, RESPONSES_MODEL]))
def test_a_history_that_was_sent_before_is_sent_as_the_whole_would_be(several, model):
    past = []
    for turn in several:
        own = turn if isinstance(turn[-1], ModelRequest) else [*turn, *NOW]
        whole = Sender(model, lambda _: None, SentContent(LeftOut()))._well_formed([*past, *own], None, PARAMETERS)[0]
        assert without_times(sent_after(past, model, own=own)) == without_times(whole)
        past = [*past, *turn]


def exchange(prompt):
    return [ModelRequest([UserPromptPart(prompt)]), ModelResponse([TextPart(f"{prompt}?")])]


def sent_after(history, model=LAB_MODEL, content=None, own=NOW):
    earlier = RunHistory()
    earlier.messages = history
    sender = Sender(model, lambda _: None, content or SentContent(LeftOut()), earlier)
    return sender._well_formed(repair_messages(own), None, PARAMETERS)[0]


def test_only_what_is_new_in_a_history_is_made_ready(monkeypatch):
    made = []
    prepare = OpenAIChatModel.prepare_messages

    def counted(self, messages, parameters=None):
        made.append(len(messages))
        return prepare(self, messages, parameters)

    history = [*exchange("a"), *exchange("b")]
    model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=LAB, api_key="k"))
    monkeypatch.setattr(Model, "prepare_messages", counted)
    sent_after(history, model)
    assert len(sent_after([*history, *exchange("c")], model)) == 7
    assert made == [4, 1, 2, 1]


def test_key_that_becomes_known_is_left_out_of_a_history_that_was_sent_before(monkeypatch):
    known = KnownKeys({})
    for module in ("sessionmagic.keys.cleaning", "sessionmagic.turns.sent_content", "sessionmagic.turns.beginnings"):
        monkeypatch.setattr(f"{module}.KNOWN", known)
    history = exchange("the word is umbrella-47-orange")
    assert "umbrella-47-orange" in str(sent_after(history))
    known.add("umbrella-47-orange")
    for _ in range(2):  # each turn tells what is left out
        left_out = LeftOut()
        assert "umbrella-47-orange" not in str(sent_after(history, content=SentContent(left_out)))
        assert left_out.warning()


def test_history_without_keys_is_not_what_is_sent_when_keys_are_meant_to_be_sent(monkeypatch):
    known = KnownKeys({})
    for module in ("sessionmagic.keys.cleaning", "sessionmagic.turns.sent_content", "sessionmagic.turns.beginnings"):
        monkeypatch.setattr(f"{module}.KNOWN", known)
    history = exchange("the word is umbrella-48-orange")
    known.add("umbrella-48-orange")
    assert "umbrella-48-orange" not in str(sent_after(history))
    assert "umbrella-48-orange" in str(sent_after(history, content=SentContent(LeftOut(sends_keys=True))))
    assert "umbrella-48-orange" not in str(sent_after(history))


class PreparesItself(WrapperModel):
    def prepare_messages(self, messages, *_, **__):
        return list(messages)


@pytest.mark.parametrize(
    ("model", "usual"),
    [(TestModel(), True), (WrapperModel(TestModel()), True), (WrapperModel(PreparesItself(TestModel())), False)],
)
def test_only_what_pydantic_ai_itself_prepares_is_kept(model, usual):
    assert beginnings._prepares_as_usual(model) is usual
