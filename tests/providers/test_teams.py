"""Agents that work together, through the real SDK: what each server gets, and that it is valid."""

import json

import pytest

from sessionmagic import Agents, MemoryStore, Models, SessionManager
from tests import strict
from tests.provider import ScriptedProvider, answers, call_delta, calls
from tests.turns import ask, on_a_loop


@pytest.fixture(autouse=True)
def _keys(monkeypatch):
    for name in ("LEFT", "RIGHT"):
        monkeypatch.setenv(f"{name}_API_KEY", f"sk-{name.lower()}-0123456789abcdef")


def manager_of(left, right, instruction=""):
    agents = {
        "root": {"sub_agents": ["helper"], "handoffs": ["tutor"]},
        "helper": {"instruction": "Work."},
        "tutor": {"instruction": instruction},
    }
    models = Models("left:m", endpoints={"left": left.url, "right": right.url})
    return SessionManager(MemoryStore(), models, Agents({"agents": agents}))


def calling(tool, **arguments):
    return calls(call_delta(0, "call_1", tool, json.dumps(arguments)))


def valid(request):
    return [refusal for family in strict.FAMILIES if (refusal := family(request["messages"]))] == []


def said(request):
    return [(message["role"], message.get("content")) for message in request["messages"]]


@pytest.mark.parametrize("instruction", ["", "Teach."])
@on_a_loop
async def test_server_of_the_agent_that_takes_over_gets_the_whole_conversation_in_a_valid_form(instruction):
    with (
        ScriptedProvider(answers("Hello."), calling("handoff", agent="tutor")) as left,
        ScriptedProvider(answers("Listen."), answers("More.")) as right,
    ):
        manager = manager_of(left, right, instruction)
        await ask(manager, "Hi", models={"tutor": "right:n"})
        assert (await ask(manager, "Teach me")).text == "Listen."
        assert (await ask(manager, "More")).text == "More."
    first, second = right.requests
    system = [("system", "Teach.")] if instruction else []
    conversation = [("user", "Hi"), ("assistant", "Hello."), ("user", "Teach me"), ("assistant", None)]
    assert said(first) == [*system, *conversation, ("tool", "tutor takes over, and answers from here on.")]
    assert said(second)[-2:] == [("assistant", "Listen."), ("user", "More")]
    assert (len(left.requests), valid(first), valid(second)) == (2, True, True)


@on_a_loop
async def test_server_of_a_sub_agent_gets_the_task_only_and_the_other_one_the_answer():
    with (
        ScriptedProvider(calling("transfer_task", agent="helper", task="Count."), answers("Done.")) as left,
        ScriptedProvider(answers("It is 7.")) as right,
    ):
        manager = manager_of(left, right)
        assert (await ask(manager, "Go", models={"helper": "right:n"})).text == "Done."
    [task] = right.requests
    assert said(task) == [("system", "Work."), ("user", "Count.")]
    assert said(left.requests[1])[-1] == ("tool", "It is 7.")
    assert (valid(task), valid(left.requests[1])) == (True, True)
    assert left.keys != right.keys
