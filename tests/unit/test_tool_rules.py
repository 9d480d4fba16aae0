"""What the rules and the safety mode of a session do to the tool calls of its turns."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path

import pytest
from pydantic import BaseModel, Field, HttpUrl

from sessionmagic.conversation.events import ApprovalRequested
from tests.turns import acted, acting, ask, asked, events_of, on_a_loop, returned, whole


def set_safety(manager, safety):
    manager.sessions.set_permissions("chat", {}, safety)


def add_rule(manager, verdict, pattern):
    manager.sessions.set_permissions("chat", {pattern: verdict})


@on_a_loop
async def test_answer_for_the_session_leaves_the_calls_of_a_deny_rule_denied(manager, tools):
    await ask(manager)
    add_rule(manager, "deny", "send:to=boss")
    calls = [("run", {"code": "1"}, "1"), ("send", {"to": "boss"}, "2")]
    turn, _ = await acting(manager, calls, [("send", {"to": "boss"})], "Done", tools=tools.all, attended=True)
    [question] = (await asked(turn)).values()
    turn.approvals.resolve(question.id, "all")
    events = whole(await events_of(turn))
    denied = ("send", "denied", "This call is not allowed: the session has a deny rule for send:to=boss.")
    assert sorted(returned(events)) == [("run", "success", "ran 1"), denied, denied]
    assert tools.ran == ["run 1"]


@on_a_loop
async def test_turn_that_was_approved_beforehand_asks_nothing_and_leaves_the_session_as_it_was(manager, tools):
    calls = [("run", {"code": "1"}), ("send", {"to": "a"})]
    result, events, _ = await acted(manager, calls, "Done", tools=tools.all, yes=True)
    assert result.status == "completed"
    assert [outcome for _, outcome, _ in returned(events)] == ["success", "success"]
    assert not any(isinstance(event, ApprovalRequested) for event in events)
    assert (manager.sessions.load("chat").permissions, manager.sessions.load("chat").safety) == ({}, "balanced")


@pytest.mark.parametrize("safety", ["balanced", "strict", "restricted"])
@on_a_loop
async def test_with_nobody_to_ask_a_call_is_denied_and_the_turn_goes_on(manager, tools, safety):
    await ask(manager)
    set_safety(manager, safety)
    result, events, model = await acted(manager, [("run", {"code": "1"})], "Done", tools=tools.all)
    assert (result.status, result.text, tools.ran) == ("completed", "Done", [])
    [(_, outcome, words)] = returned(events)
    assert outcome == "denied"
    assert words.startswith("This call is not allowed: ")
    assert model.sent[1][-1].parts[0].content == words
    assert not any(isinstance(event, ApprovalRequested) for event in events)


@on_a_loop
async def test_restricted_session_denies_without_asking_though_somebody_is_there(manager, tools):
    await ask(manager)
    set_safety(manager, "restricted")
    calls = [("look", {"at": "a"}), ("run", {"code": "1"})]
    _, events, _ = await acted(manager, calls, "Done", tools=tools.all, attended=True)
    assert sorted(outcome for _, outcome, _ in returned(events)) == ["denied", "success"]
    assert tools.ran == ["look a"]


@on_a_loop
async def test_deny_rule_holds_for_a_call_that_was_approved_beforehand(manager, tools):
    await ask(manager)
    add_rule(manager, "deny", "r*:code=*1*")
    _, events, _ = await acted(
        manager, [("run", {"code": "1"}), ("run", {"code": "2"})], "Done", tools=tools.all, yes=True
    )
    assert sorted(returned(events)) == [
        ("run", "denied", "This call is not allowed: the session has a deny rule for r*:code=*1*."),
        ("run", "success", "ran 2"),
    ]


class Mode(Enum):
    READ = "read"
    WRITE = "write"


@pytest.mark.parametrize(
    ("rule", "args"),
    [("file:path=*.env", {"path": "a/b.env"}), ("file:mode=write", {"path": "a.csv", "mode": "write"})],
)
@on_a_loop
async def test_deny_rule_holds_for_arguments_that_annotations_make_into_other_values(manager, rule, args):
    touched = []

    def file(path: Path, mode: Mode = Mode.READ):
        touched.append((path, mode))

    await ask(manager)
    add_rule(manager, "deny", rule)
    _, events, _ = await acted(manager, [("file", args)], "Done", tools=[file], yes=True)
    assert touched == []
    assert [outcome for _, outcome, _ in returned(events)] == ["denied"]


@on_a_loop
async def test_rule_set_in_mid_turn_holds_for_the_next_call(manager):
    ran, began, go_on = [], asyncio.Event(), asyncio.Event()

    async def run(code: str):
        ran.append(code)
        began.set()
        await go_on.wait()

    turn, _ = await acting(manager, [("run", {"code": "1"})], [("run", {"code": "2"})], "Done", tools=[run], yes=True)
    await began.wait()
    add_rule(manager, "deny", "run")
    go_on.set()
    assert [outcome for _, outcome, _ in returned(await events_of(turn))] == ["success", "denied"]
    assert ran == ["1"]


@on_a_loop
async def test_answer_to_an_open_question_does_not_undo_a_deny_rule_that_was_set_meanwhile(manager, tools):
    steps = [("run", {"code": "1"})], [("run", {"code": "2"})], "Done"
    turn, _ = await acting(manager, *steps, tools=tools.all, attended=True)
    [question] = (await asked(turn)).values()
    add_rule(manager, "deny", "run")
    turn.approvals.resolve(question.id, "tool")
    events = whole(await events_of(turn))
    assert returned(events)[1][1] == "denied"
    assert manager.sessions.load("chat").permissions["deny"] == ["run"]


@on_a_loop
async def test_deny_rule_holds_for_an_argument_however_the_model_writes_it(manager):
    ran = []
    written = [{"force": True}, {"force": 1}, {"force": "yes"}, {"times": 1000}, {"times": 1000.0}, {"times": "1_000"}]

    def delete(*, force: bool = False, times: int = 1) -> None:
        ran.append((force, times))

    await ask(manager)
    add_rule(manager, "deny", "delete:force=true")
    add_rule(manager, "deny", "delete:times=1000")
    set_safety(manager, "autonomous")
    _, events, _ = await acted(manager, [("delete", args) for args in written], "Done", tools=[delete])
    assert [outcome for _, outcome, _ in returned(events)] == ["denied"] * len(written)
    assert all("the session has a deny rule for delete:" in words for _, _, words in returned(events))
    assert not ran


class Target(BaseModel):
    """A model whose field is written by an alias."""

    path: str = Field(alias="file")
    times: int = 1


async def outcomes(manager, rule, args, function):
    """Return what happens to a call of a function in an unattended session with one rule."""
    await ask(manager)
    add_rule(manager, *rule)
    set_safety(manager, "autonomous" if rule[0] == "deny" else "restricted")
    _, events, _ = await acted(manager, [(function.__name__, args)], "Done", tools=[function])
    return [outcome for _, outcome, _ in returned(events)]


@pytest.mark.parametrize("field", ["file", "path"])
@on_a_loop
async def test_deny_rule_holds_for_a_field_by_its_name_and_by_its_alias(manager, field):
    def write(target: Target) -> None: ...

    rule = ("deny", f"write:{field}=*.env")
    assert await outcomes(manager, rule, {"file": "a.env"}, write) == ["denied"]


@pytest.mark.parametrize("field", ["file", "path"])
@on_a_loop
async def test_deny_rule_holds_for_a_field_within_an_argument_by_its_name_and_by_its_alias(manager, field):
    def write(target: Target, *, force: bool = False) -> None: ...

    rule = ("deny", f'write:target=*"{field}": "*.env"*')
    assert await outcomes(manager, rule, {"target": {"file": "a.env"}}, write) == ["denied"]


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        ({"file": "a", "times": "2"}, {"file": "a", "times": 2}),
        ({"file": "a", "note": "harmless"}, {"file": "a", "times": 1}),
        ({"file": "a"}, {"file": "a", "times": 1}),
    ],
)
@on_a_loop
async def test_approval_shows_what_the_tool_receives(manager, args, shown):
    def write(target: Target) -> None: ...

    turn, _ = await acting(manager, [("write", args)], "Done", tools=[write], attended=True)
    [question] = (await asked(turn)).values()
    assert question.args == turn.transcript.blocks[0].asked == shown
    turn.cancel()
    await turn.result()


@pytest.mark.parametrize("rule", ["warm:degrees=1", "warm:degrees=1.0"])
@pytest.mark.parametrize("written", [1, 1.0])
@on_a_loop
async def test_allow_rule_holds_for_a_whole_number_however_the_rule_and_the_model_write_it(manager, rule, written):
    def warm(degrees: float) -> str:
        return f"by {degrees}"

    await ask(manager)
    add_rule(manager, "allow", rule)
    _, events, _ = await acted(manager, [("warm", {"degrees": written})], "Done", tools=[warm])
    assert returned(events) == [("warm", "success", "by 1.0")]


MEANT = [
    ("wait:span=60", {"span": 60}, "success"),
    ("wait:span=PT60S", {"span": "PT60S"}, "success"),
    ("wait:span=PT1M", {"span": "PT60S"}, "denied"),
    ("wait:span=60", {"span": 61}, "denied"),
    ("wait:day=2026-01-02 03:04", {"day": "2026-01-02 03:04"}, "success"),
    ("wait:url=https://example.org", {"url": "https://example.org"}, "success"),
    ("wait:url=https://example.org/", {"url": "https://example.org/"}, "success"),
    ("wait:url=https://example.org/data/*", {"url": "https://example.org/data/../secret"}, "denied"),
    ("wait:url=https://example.org", {"url": "https://example.org.evil"}, "denied"),
    ("wait:number=1.50", {"number": "1.50"}, "success"),
]


@pytest.mark.parametrize(("rule", "args", "outcome"), MEANT)
@on_a_loop
async def test_allow_rule_holds_for_a_value_that_has_another_text_as_the_tool_receives_it(manager, rule, args, outcome):
    def wait(
        span: timedelta | None = None,
        day: datetime | None = None,
        url: HttpUrl | None = None,
        number: Decimal | None = None,
    ) -> None: ...

    assert await outcomes(manager, ("allow", rule), args, wait) == [outcome]


@on_a_loop
async def test_allow_rule_for_a_value_does_not_hold_for_what_an_alias_brings(manager):
    class Wait(BaseModel):
        span: timedelta = Field(timedelta(0), alias="for")

    def wait(what: Wait) -> None: ...

    assert await outcomes(manager, ("allow", "wait:span=60"), {"span": 60, "for": 3600}, wait) == ["denied"]
