"""What the agents file changes in what a turn may do. By itself it only makes things stricter."""

from dataclasses import replace

import pytest

from sessionmagic import Agents, MemoryStore, Models, SessionManager
from sessionmagic.conversation.events import LimitReached, Warned
from sessionmagic.exceptions import ModelReferenceError, TurnLimitError, UsageError
from sessionmagic.testing import pause, script
from sessionmagic.turns.agent_limits import policy_of
from tests.turns import acted, acting, ask, asked, events_of, on_a_loop, returned

RUN, LOOK = ("run", {"code": "1"}), ("look", {"at": "sky"})


def manager_of(agent=None, *, confirm=False, **file):
    """Return a manager with an agents file of one agent."""
    script("calm", "fine")
    content = {"agents": {"root": agent or {}}, **file}
    return SessionManager(MemoryStore(), Models("calm"), Agents(content, confirm=confirm))


async def outcomes(manager, tools, *calls, **options):
    """Return what became of calls that nobody can approve."""
    _, events, _ = await acted(manager, list(calls), "Done", tools=tools.all, **options)
    return [(tool, outcome) for tool, outcome, _ in returned(events)], [
        event.text for event in events if isinstance(event, Warned)
    ]


# Rules


@on_a_loop
async def test_deny_and_ask_rules_of_a_file_hold_at_once(tools):
    manager = manager_of(permissions={"deny": ["run"], "ask": ["look"]})
    found, warned = await outcomes(manager, tools, RUN, LOOK)
    assert found == [("run", "denied"), ("look", "denied")]
    assert tools.ran == []
    assert warned == []


@on_a_loop
async def test_a_deny_rule_of_a_file_holds_also_for_calls_that_were_approved_beforehand(tools):
    manager = manager_of(permissions={"deny": ["run"]})
    _, events, _ = await acted(manager, [RUN], "Done", tools=tools.all, yes=True)
    assert returned(events) == [("run", "denied", "This call is not allowed: the agents file has a deny rule for run.")]


@on_a_loop
async def test_allow_rules_of_a_file_hold_only_when_the_user_has_confirmed_them(tools):
    rules = {"allow": ["run", "send"]}
    found, warned = await outcomes(manager_of(permissions=rules), tools, RUN)
    assert found == [("run", "denied")]
    assert warned == [
        (
            "agents asks for what you have not confirmed, so it does not hold: allow run, allow send; "
            "%agent agents load agents --confirm allows it"
        )
    ]
    found, warned = await outcomes(manager_of(permissions=rules, confirm=True), tools, RUN)
    assert (found, warned) == ([("run", "success")], [])


@on_a_loop
async def test_what_is_not_confirmed_is_told_once_in_a_session(tools):
    manager = manager_of(permissions={"allow": ["run"]})
    warned = [len((await outcomes(manager, tools, LOOK))[1]) for _ in range(3)]
    assert warned == [1, 0, 0]


def test_a_changed_file_gets_no_more_than_what_was_confirmed(tmp_path):
    path = tmp_path / "agents.yaml"
    path.write_text("permissions: {allow: [a]}\nagents: {root: {}}")
    agents = Agents(path, confirm=True)
    path.write_text("permissions: {allow: [a, b, '*']}\nagents: {root: {safety: autonomous}}")
    root = agents.answering()
    assert (root.rules["allow"], root.safety) == (["a"], "")
    assert "allow b, allow *, safety autonomous of root;" in root.notes[0]
    agents.load(path)
    assert agents.answering().rules["allow"] == ["a"]
    agents.load(path, confirm=True)
    assert (agents.answering().rules["allow"], agents.answering().safety) == (["a", "b", "*"], "autonomous")


# Safety and reading


@pytest.mark.parametrize(
    ("of_session", "of_agent", "confirm", "holds"),
    [
        ("balanced", "strict", False, "strict"),
        ("balanced", "restricted", False, "restricted"),
        ("balanced", "autonomous", False, "balanced"),
        ("balanced", "autonomous", True, "autonomous"),
        ("strict", "balanced", False, "strict"),
        ("strict", "autonomous", True, "strict"),
        ("restricted", "strict", False, "restricted"),
        ("autonomous", "strict", False, "strict"),
        ("autonomous", "autonomous", False, "autonomous"),
    ],
)
@on_a_loop
async def test_the_stricter_one_of_the_safety_modes_of_session_and_agent_holds(of_session, of_agent, confirm, holds):
    manager = manager_of({"safety": of_agent}, confirm=confirm)
    await ask(manager, safety=of_session)
    session = manager.sessions.load("chat")
    permissions, untrusted = manager.sessions.trusted(session)
    assert untrusted == []
    assert policy_of(permissions, manager.sessions.agent_of(session), attended=True).safety == holds


@on_a_loop
async def test_a_strict_agent_asks_before_reading_until_the_user_approves_all(tools):
    manager = manager_of({"safety": "strict"})
    turn, _ = await acting(manager, [LOOK], [RUN], "Done", tools=tools.all, attended=True)
    [question] = (await asked(turn)).values()
    assert question.why == "the session's safety mode is strict"
    turn.approvals.resolve(question.id, "all")
    assert (await turn.result()).status == "completed"
    assert tools.ran == ["look sky", "run 1"]


@on_a_loop
async def test_an_agent_that_may_only_read_is_offered_and_runs_nothing_else(tools):
    manager = manager_of({"readonly": True}, permissions={"allow": ["*"]}, confirm=True)
    _, events, model = await acted(manager, [LOOK, RUN], "Done", tools=tools.all, yes=True)
    assert list(model.offered[0]) == ["look"]
    assert sorted((tool, outcome) for tool, outcome, _ in returned(events)) == [("look", "success"), ("run", "retried")]
    assert tools.ran == ["look sky"]


def test_a_call_that_changes_something_is_denied_to_an_agent_that_may_only_read():
    from sessionmagic.tools.call import Call
    from sessionmagic.tools.permissions import Permissions

    manager = manager_of({"readonly": True})
    free = Permissions({"allow": ["*"]}, "autonomous")
    policy = policy_of(free, manager.agents.answering(), attended=True, yes=True)
    ruling = policy.rule_on(Call("run", {}, read_only=False))
    assert (ruling.verdict, ruling.why) == ("deny", "the tool may change something, and the agent root may only read")
    assert policy.rule_on(Call("look", {}, read_only=True)).verdict == "allow"


@pytest.mark.parametrize(
    ("of_session", "of_agent", "asks_again"),
    [("balanced", "autonomous", "strict"), ("autonomous", "autonomous", "balanced"), ("autonomous", "strict", "")],
)
@on_a_loop
async def test_a_turn_says_whether_its_calls_run_unasked_and_how_that_is_ended(of_session, of_agent, asks_again):
    manager = manager_of({"safety": of_agent}, confirm=True)
    turn = await manager.run("Hello", session="chat", safety=of_session)
    notes = [note for note in (await events_of(turn))[0].notes if "unasked" in note]
    assert notes == (
        [f"calls that no rule covers run unasked; %agent permissions chat --safety {asks_again} asks again"]
        if asks_again
        else []
    )


# Limits


@on_a_loop
async def test_max_iterations_are_model_requests_of_one_turn(tools):
    manager = manager_of({"max_iterations": 2})
    result, events, model = await acted(manager, [LOOK], [("look", {"at": "sea"})], "Done", tools=tools.all)
    assert (result.status, len(model.sent)) == ("limit", 2)
    assert str(result.error) == "stopped after 2 model requests; send another prompt to continue"
    assert [event.value for event in events if isinstance(event, LimitReached)] == [2]


# Budgets


@pytest.fixture
def prices():
    return {key: [20000.0, 0.0] for key in ("calm", "acts")}  # about a dollar for each short request


@on_a_loop
async def test_an_agents_budget_counts_its_own_requests_in_the_session(prices):
    manager = manager_of({"budget": 0.5}, agents={"root": {"budget": 0.5}, "other": {}})
    manager.models.prices |= prices
    statuses = [(await ask(manager, agent=name)).status for name in ("other", "root", "root", "other")]
    assert statuses == ["completed", "completed", "limit", "completed"]
    error = (await ask(manager, agent="root")).error
    assert type(error) is TurnLimitError
    assert str(error).startswith("agent 'root' in session 'chat' has spent $")
    assert str(error).endswith("of its budget of $0.5000; its agents file sets it; %agent fork chat begins a session "
                               "with nothing spent")  # fmt: skip
    assert (await ask(manager, session="another", agent="root")).status == "completed"


@pytest.mark.parametrize("file", [{"budget": {"max_tokens": 60}}, {"budgets": {"shared": {"max_tokens": 60}}}])
@on_a_loop
async def test_a_budget_of_several_agents_counts_all_of_them(file):
    names = {"budgets": ["shared"]} if "budgets" in file else {}
    manager = manager_of(agents={"root": names, "other": names}, **file)
    assert [(await ask(manager, agent=name)).status for name in ("root", "other", "root")] == [
        "completed",
        "completed",
        "limit",
    ]
    assert "tokens; its agents file sets it" in str((await ask(manager)).error)


@on_a_loop
async def test_a_budget_without_a_known_price_is_refused_before_anything_is_stored():
    manager = manager_of({"budget": 0.5})
    with pytest.raises(UsageError, match="calm has no known price, so agent 'root' in session 'chat' cannot keep to"):
        await ask(manager)
    assert manager.sessions.summaries() == ([], [])


@on_a_loop
async def test_a_budget_of_time_ends_a_turn():
    script("slow", ["So far", pause(20)])
    manager = manager_of({"model": "slow", "budget": {"max_time": 0.2}})
    result = await ask(manager)
    assert (result.status, result.text) == ("failed", "So far")
    assert str(result.error) == "the turn did not finish within 0.2 s; its agents file sets that budget"


@on_a_loop
async def test_a_turn_is_refused_when_the_time_of_its_agent_is_used():
    manager = manager_of({"budget": {"max_time": 90}}, agents={"root": {"budget": {"max_time": 90}}, "other": {}})
    await ask(manager, agent="other")
    await ask(manager, agent="root")

    def later(session):
        turns = [replace(turn, requests=[replace(turn.requests[0], seconds=100.0)]) for turn in session.turns]
        return replace(session, turns=tuple(turns))

    manager.store.update(manager.sessions.load("chat").id, later)
    with pytest.raises(
        TurnLimitError, match=r"^agent 'root' in session 'chat' has used its 90 s; its agents file sets"
    ):
        await ask(manager)
    assert len(manager.sessions.load("chat").turns) == 2
    await ask(manager, agent="other")


@on_a_loop
async def test_requests_at_the_same_time_share_the_agents_budget(prices):
    manager = manager_of({"budget": 0.5})
    manager.models.prices |= prices
    async with manager.group("chat") as group:
        from sessionmagic import Request

        turns = [
            await manager.start(Request(prompt="Hi", session="chat", after="root", moves_head=False), group)
            for _ in range(3)
        ]
        statuses = [(await turn.result()).status for turn in turns]
    assert sorted(statuses) == ["completed", "limit", "limit"]


# Keys


def test_a_key_goes_to_an_address_of_the_file_only_when_the_user_has_confirmed_it(monkeypatch):
    monkeypatch.setenv("LAB_KEY", "sk-lab-0123456789abcdef")
    lab = {"provider": "openai", "model": "m", "base_url": "https://lab.example/v1", "token_key": "LAB_KEY"}
    file = {"models": {"lab": lab}, "agents": {"root": {"model": "lab"}}}
    manager = SessionManager(MemoryStore(), Models("calm"), Agents(file))
    with pytest.raises(ModelReferenceError) as caught:
        manager.run_sync("Hi", session="chat")
    assert str(caught.value) == (
        "no --model was given, and the model of agent 'root' cannot be used: 'lab' would send LAB_KEY to lab.example; "
        "%agent agents load agents --confirm allows it"
    )
    names = Agents(file, confirm=True).answering().names
    assert Models().within(names).resolve("lab").model.client.api_key == "sk-lab-0123456789abcdef"


def test_a_key_goes_to_a_server_on_this_machine_without_a_question(monkeypatch):
    monkeypatch.setenv("LAB_KEY", "sk-lab-0123456789abcdef")
    lab = {"base_url": "http://127.0.0.1:9/v1", "token_key": "LAB_KEY", "headers": {"x": "$LAB_KEY"}}
    names = Agents({"providers": {"lab": lab}, "agents": {"root": {"model": "lab/m"}}}).answering().names
    Models().within(names).check("lab/m")


def test_a_header_with_a_variable_is_sent_like_a_key(monkeypatch):
    monkeypatch.setenv("SECRET", "s3cret-value")
    lab = {"base_url": "https://lab.example/v1", "headers": {"x-auth": "Bearer ${SECRET}"}}
    file = {"providers": {"lab": lab}, "agents": {"root": {"model": "lab/m"}}}
    with pytest.raises(ModelReferenceError, match=r"'lab/m' would send SECRET to lab\.example"):
        Models().within(Agents(file).answering().names).check("lab/m")
    names = Agents(file, confirm=True).answering().names
    assert Models().within(names).resolve("lab/m").settings["extra_headers"] == {"x-auth": "Bearer s3cret-value"}
    monkeypatch.delenv("SECRET")
    with pytest.raises(ModelReferenceError, match="needs the environment variable SECRET, which is not set; set it"):
        Models().within(Agents(file, confirm=True).answering().names).check("lab/m")
