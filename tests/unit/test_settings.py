"""Settings and instructions of turns, sessions, agents and models: what is refused, and which is used."""

import math
from dataclasses import replace

import pytest
from pydantic_ai.models.function import FunctionModel

from sessionmagic import Models, Request, register_model
from sessionmagic.agents.definition import AgentDefinition
from sessionmagic.exceptions import PromptError, UsageError
from sessionmagic.models.settings import as_typed, checked, for_model, ignored, parsed
from tests.provider import ScriptedProvider, answers
from tests.turns import ask, on_a_loop


@pytest.fixture
def seen():
    """The settings and instructions of each request to the model `notes`."""
    return []


@pytest.fixture
def notes(manager, seen):
    """A manager whose default model `notes` was registered with the temperature 0.1 and the seed 1."""

    async def stream(_messages, info):
        seen.append((info.model_settings or {}, info.instructions))
        yield "Noted."

    register_model("notes", FunctionModel(stream_function=stream), {"temperature": 0.1, "seed": 1})
    manager.models.default = "notes"
    return manager


def with_agent(manager, **settings):
    manager.agents.define(replace(manager.agents.answering(), **settings))


# What is given


@pytest.mark.parametrize(
    ("typed", "settings"),
    [
        ("temperature=0 seed=7 max_tokens=500", {"temperature": 0, "seed": 7, "max_tokens": 500}),
        ("effort=low", {"effort": "low"}),
        ("effort=none", {"effort": "none"}),
        ("effort=true", {"effort": True}),
        ("thinking=false", {"effort": "none"}),
        ("stop=END", {"stop": ["END"]}),
        ("stop=12", {"stop": ["12"]}),
        ('stop_sequences=["a","b"]', {"stop": ["a", "b"]}),
        ('logit_bias={"5":-100}', {"logit_bias": {"5": -100}}),
        ("parallel_tool_calls=false service_tier=flex", {"parallel_tool_calls": False, "service_tier": "flex"}),
        ("temperature= stop= effort=", {"temperature": None, "stop": None, "effort": None}),
        ("seed=1 seed=2", {"seed": 2}),
    ],
)  # fmt: skip
def test_words_become_settings(typed, settings):
    assert parsed(typed.split()) == settings


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("temprature=0", "'temprature' is not a setting; did you mean 'temperature'?"),
        ("xyzzy=0", "'xyzzy' is not a setting; the settings are temperature, .*service_tier"),
        ("=0", "'' is not a setting"),
        ("temperature", "'temperature' is not NAME=VALUE; write for example temperature=0"),
        ("timeout=3", "timeout is not a setting of a model; give the turn a --timeout"),
        ("temperature=3", "temperature=3 is not valid; input should be less than or equal to 2"),
        ("temperature=-1", "temperature=-1 is not valid"),
        ("temperature=NaN", "temperature=nan is not valid"),
        ("temperature=hot", "temperature='hot' is not valid; input should be a valid number"),
        ("top_p=1.1", "top_p=1.1 is not valid"),
        ("top_k=true", "top_k=True is not valid; input should be a valid integer"),
        ("max_tokens=0", "max_tokens=0 is not valid; input should be greater than or equal to 1"),
        ("seed=1.5", "seed=1.5 is not valid; input should be a valid integer"),
        (f"seed={10**30}", "is not valid; input should be less than"),
        (f"seed={'9' * 5000}", "is not valid"),
        ("effort=lots", "effort='lots' is not valid; input should be 'none', 'minimal', 'low'"),
        ("service_tier=slow", "service_tier='slow' is not valid"),
        ("stop=[a]", """not valid JSON; put single quotes around all of it, as in 'stop=\\["END"\\]'"""),
        ("logit_bias=" + "[" * 100_000, "not valid JSON"),
        ("presence_penalty=[", "not valid JSON"),
    ],
)
def test_word_that_is_no_setting_is_refused_in_one_line(word, error):
    with pytest.raises(UsageError, match=error) as refused:
        parsed([word])
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({1: 2}, "'1' is not a setting"),
        ({"temperature": "0"}, "temperature='0' is not valid"),
        ({"temperature": math.inf}, "is not valid"),
        ({"stop": []}, "stop"),
        ({"stop": [""]}, "stop"),
        ({"extra_headers": {"authorization": "x"}}, "'extra_headers' is not a setting"),
        (["temperature"], "settings is of type list; give a dict"),
        (None, "settings is of type NoneType; give a dict"),
    ],
)
def test_request_refuses_settings_that_are_not_valid(settings, error):
    with pytest.raises(UsageError, match=error):
        Request(prompt="Hello", session="chat", settings=settings)


def test_request_refuses_instructions_that_are_no_text_or_too_long():
    with pytest.raises(UsageError, match="system is of type int; give a string"):
        Request(prompt="Hello", session="chat", system=5)
    with pytest.raises(PromptError, match="the system text has more than"):
        Request(prompt="Hello", session="chat", system="x" * 10_000_001)


def test_settings_are_shown_as_they_are_typed():
    settings = checked({"temperature": 0, "effort": "low", "top_p": 0.5, "stop": ["a b"], "seed": None})
    assert as_typed(settings) == """temperature=0 effort=low top_p=0.5 'stop=["a b"]'"""


@on_a_loop
async def test_nothing_is_stored_of_a_turn_whose_settings_are_refused(manager):
    with pytest.raises(UsageError):
        await ask(manager, settings={"temprature": 0})
    assert manager.sessions.summaries() == ([], [])


# Which is used


@on_a_loop
async def test_nearest_settings_win_each_by_its_name(notes, seen):
    with_agent(notes, settings={"temperature": 0.2, "top_p": 0.2, "max_tokens": 2, "top_k": 2})
    await ask(notes)
    notes.sessions.set_settings("chat", {"temperature": 0.3, "top_p": 0.3, "max_tokens": 3})
    await ask(notes, settings={"temperature": 0.4, "top_p": 0.4})
    await ask(notes)
    of_agent = {"temperature": 0.2, "top_p": 0.2, "max_tokens": 2, "top_k": 2}
    of_session = {"temperature": 0.3, "top_p": 0.3, "max_tokens": 3, "top_k": 2}
    of_turn = {"temperature": 0.4, "top_p": 0.4, "max_tokens": 3, "top_k": 2}
    assert [settings for settings, _ in seen] == [{"seed": 1} | each for each in (of_agent, of_turn, of_session)]
    assert [turn.settings for turn in notes.sessions.load("chat").turns] == [of_agent, of_turn, of_session]


@on_a_loop
async def test_nearest_instructions_win(notes, seen):
    await ask(notes)
    with_agent(notes, instructions="of the agent")
    await ask(notes)
    notes.sessions.set_settings("chat", system="of the session")
    await ask(notes)
    await ask(notes, system="of the turn")
    await ask(notes, system="")
    await ask(notes)
    texts = [None, "of the agent", "of the session", "of the turn", None, "of the session"]
    assert [system for _, system in seen] == texts
    assert [turn.system for turn in notes.sessions.load("chat").turns] == [text or "" for text in texts]


@on_a_loop
async def test_none_takes_a_setting_of_a_farther_level_away(notes, seen):
    await ask(notes)
    notes.sessions.set_settings("chat", {"top_p": 0.5})
    await ask(notes, settings={"top_p": None, "seed": None})
    assert seen[-1][0] == {"temperature": 0.1}
    assert notes.sessions.load("chat").turns[-1].settings == {}


@on_a_loop
async def test_settings_of_a_turn_are_not_those_of_the_next(notes, seen):
    await ask(notes, settings={"max_tokens": 9}, system="Once.")
    await ask(notes)
    assert seen[-1] == ({"temperature": 0.1, "seed": 1}, None)
    assert notes.sessions.load("chat").settings == {}


@on_a_loop
async def test_settings_of_a_session_are_changed_and_removed_in_one_write(notes, monkeypatch):
    await ask(notes)
    writes = []
    update = notes.store.update

    def counted(key, change):
        writes.append(key)
        return update(key, change)

    monkeypatch.setattr(notes.store, "update", counted)
    notes.sessions.set_settings("chat", {"temperature": 0, "seed": 7}, "Be terse.")
    assert len(writes) == 1
    session = notes.sessions.load("chat")
    assert (session.settings, session.system) == ({"temperature": 0, "seed": 7}, "Be terse.")
    notes.sessions.set_settings("chat", {"seed": None})
    session = notes.sessions.load("chat")
    assert (session.settings, session.system) == ({"temperature": 0}, "Be terse.")
    notes.sessions.set_settings("chat", {"top_k": 3}, clear=True)
    session = notes.sessions.load("chat")
    assert (session.settings, session.system) == ({"top_k": 3}, "")


@on_a_loop
async def test_refused_change_of_a_sessions_settings_changes_nothing(notes):
    await ask(notes)
    notes.sessions.set_settings("chat", {"seed": 7})
    before = notes.sessions.load("chat")
    with pytest.raises(UsageError):
        notes.sessions.set_settings("chat", {"top_p": 0.5, "sed": 8}, "Be terse.", clear=True)
    assert notes.sessions.load("chat") == before


@pytest.mark.parametrize(("system", "error"), [(5, "system is of type int"), ("x" * 10_000_001, "shorten it")])
@on_a_loop
async def test_instructions_of_a_session_that_are_no_text_or_too_long_are_refused(notes, system, error):
    """Stored, they would make the session's file unreadable."""
    await ask(notes)
    before = notes.sessions.load("chat")
    with pytest.raises(UsageError, match=error):
        notes.sessions.set_settings("chat", {"seed": 7}, system)
    assert notes.sessions.load("chat") == before


@on_a_loop
async def test_turn_with_a_new_model_and_settings_is_one_write(notes, monkeypatch):
    await ask(notes)
    seen = []
    update = notes.store.update

    def watched(key, change):
        after = update(key, change)
        seen.append((after.agent_model_overrides, after.turns[-1].settings, after.turns[-1].system))
        return after

    monkeypatch.setattr(notes.store, "update", watched)
    await ask(notes, model="calm", settings={"seed": 3}, system="Be terse.")
    assert seen[0] == ({"assistant": "calm"}, {"seed": 3}, "Be terse.")


@on_a_loop
async def test_agents_settings_are_those_of_its_definition(seen, notes):
    definition = AgentDefinition(name="careful", instructions="Be careful.", settings={"effort": None, "seed": 9})
    notes.agents.define(definition)
    await ask(notes, agent="careful")
    assert seen == [({"temperature": 0.1, "seed": 9}, "Be careful.")]


# What reaches a provider


@on_a_loop
async def test_request_to_a_provider_has_settings_and_instructions(manager):
    settings = {"temperature": 0, "max_tokens": 500, "effort": "low", "seed": 7, "stop": "END", "presence_penalty": 1}
    with ScriptedProvider(answers("Yes")) as provider:
        manager.models.endpoints["lab"] = provider.url
        result = await ask(manager, model="lab:thinker", settings=settings, system="Be terse.")
        await ask(manager)
    assert result.status == "completed"
    body, next_body = provider.requests
    assert body["temperature"] == 0
    assert 500 in (body.get("max_tokens"), body.get("max_completion_tokens"))
    assert (body["reasoning_effort"], body["seed"], body["stop"]) == ("low", 7, ["END"])
    assert body["presence_penalty"] == 1
    assert body["messages"][0]["content"] == "Be terse."
    assert body["messages"][0]["role"] in ("system", "developer")
    assert "Be terse." not in str(next_body)
    assert not {"temperature", "seed", "stop"} & {*next_body}


@pytest.mark.parametrize(("effort", "sent"), [("none", "none"), (True, "medium"), ("max", "max"), (None, None)])
@on_a_loop
async def test_own_server_gets_the_effort_as_given(manager, effort, sent):
    with ScriptedProvider(answers("Yes")) as provider:
        manager.models.endpoints["lab"] = provider.url
        await ask(manager, model="lab:thinker", settings={"effort": effort})
    assert provider.requests[0].get("reasoning_effort") == sent


@pytest.mark.parametrize(("reference", "names"), [("openai-chat:gpt-4o", ["effort"]), ("openai-chat:gpt-5.2", [])])
def test_openai_gets_an_effort_only_for_models_that_reason(monkeypatch, reference, names):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    model = Models().resolve(reference).model
    assert for_model(model, {}, {"effort": "low"}) == ({} if names else {"thinking": "low"})
    assert ignored(model, {}, {"effort": "low"}) == names
