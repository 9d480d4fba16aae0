"""A comparison: several models answer one prompt, each in its own branch of one session."""

import asyncio

import pytest
from pydantic_ai.models.test import TestModel

from sessionmagic import register_model
from sessionmagic.comparing.comparison import PER_PROVIDER
from sessionmagic.comparing.contestants import Contestant, contestants, parsed_vary
from sessionmagic.comparing.judge import Judge
from sessionmagic.conversation.column import Verdict
from sessionmagic.conversation.comparison import comparisons
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.exceptions import (
    ModelReferenceError,
    SessionBusyError,
    SessionExistsError,
    SessionNotFoundError,
    StoreError,
    UsageError,
)
from sessionmagic.testing import call, script
from sessionmagic.tools.functions import Tool
from sessionmagic.turns.request import Cell, Request
from tests.scripted import Gate
from tests.turns import ask, on_a_loop, said, until


def request(prompt="Which?", session="chat", **options):
    return Request(prompt=prompt, session=session, **options)


async def compare(manager, *models, session="chat", vary=None, repeat=1, blind=False, **options):
    comparison = await manager.compare(
        request(session=session, **options), contestants(models, vary), repeat=repeat, blind=blind
    )
    return await comparison.answers()


@on_a_loop
async def test_each_model_continues_the_head_which_stays_with_the_model_of_the_session(manager):
    await ask(manager, model="recalls")
    answers = await compare(manager, "calm", "recalls", "test")
    session = manager.sessions.load("chat")
    assert str(answers["calm"]) == "It is fine."
    assert all(prompt in str(answers["recalls"]) for prompt in ("Hello", "Which?"))
    assert [(turn.parent, turn.model) for turn in session.turns[1:]] == [
        ("1", name) for name in ("calm", "recalls", "test")
    ]
    assert (session.head, session.agent_model_overrides) == ("1", {"assistant": "recalls"})
    assert (await ask(manager, "Next")).status == "completed"
    assert manager.sessions.load("chat").turns[-1].parent == "1"


@on_a_loop
async def test_a_comparison_can_begin_a_session(manager):
    await compare(manager, "calm", "test")
    session = manager.sessions.load("chat")
    assert [turn.parent for turn in session.turns] == [None, None]
    assert (session.head, session.title) == (None, "Which?")


@pytest.mark.parametrize("exists", [False, True])
@on_a_loop
async def test_an_unknown_model_among_good_ones_is_refused_before_any_is_asked(manager, exists):
    if exists:
        await ask(manager)
    with pytest.raises(ModelReferenceError, match="nosuch"):
        await manager.compare(request(), contestants(["calm", "nosuch:model"]))
    if exists:
        assert len(manager.sessions.load("chat").turns) == 1
        assert (await ask(manager)).status == "completed"
    else:
        with pytest.raises(SessionNotFoundError):
            manager.sessions.load("chat")


@on_a_loop
async def test_the_session_is_busy_until_the_last_column_has_ended(manager):
    gates = {name: Gate(name) for name in ("left", "right")}
    comparison = await manager.compare(request(), contestants(list(gates)))
    answering = asyncio.ensure_future(comparison.answers())
    await until(lambda: len(manager.turns.running()) == 2)
    gates["left"].open.set()
    await until(lambda: len(manager.turns.running()) == 1)
    with pytest.raises(SessionBusyError):
        await ask(manager)
    gates["right"].open.set()
    assert [str(answer) for answer in await answering] == ["before after"] * 2
    assert (await ask(manager)).status == "completed"


@on_a_loop
async def test_a_column_that_fails_shows_its_error_and_the_others_go_on(manager):
    answers = await compare(manager, "breaks", "calm", "dumb")
    assert [answer.status for answer in answers] == ["failed", "completed", "failed"]
    assert ["it broke" in str(answer.error) for answer in answers] == [True, False, True]
    assert str(answers["calm"]) == "It is fine."


@on_a_loop
async def test_stopping_one_column_leaves_the_others_running(manager):
    gate = Gate("gate")
    comparison = await manager.compare(request(), contestants(["hang", "gate"]))
    hanging, gated = [await comparison.start(run) for run in comparison.runs]
    comparison.leave()
    await said(hanging)
    hanging.cancel()
    assert (await hanging.result()).status == "interrupted"
    gate.open.set()
    assert (await gated.result()).status == "completed"


@on_a_loop
async def test_repeats_and_settings_make_runs_and_columns_in_the_order_given(manager):
    answers = await compare(manager, "calm", "test", vary={"temperature": [0, 0.7]}, repeat=2, settings={"seed": 7})
    labels = [(answer.column.number, answer.column.repeat, answer.column.label) for answer in answers]
    names = [f"{model} temperature={value}" for model in ("calm", "test") for value in ("0", "0.7")]
    assert labels == [(number, repeat, name) for number, name in enumerate(names, 1) for repeat in (1, 2)]
    turns = manager.sessions.load("chat").turns
    assert [turn.settings for turn in turns[:3]] == [{"seed": 7, "temperature": 0}] * 2 + [
        {"seed": 7, "temperature": 0.7}
    ]


@on_a_loop
async def test_columns_of_a_blind_comparison_have_letters_until_they_are_revealed(manager):
    names = ["calm", "test", "recalls", "dumb"]
    answers = await compare(manager, *names, blind=True)
    assert [answer.column.name for answer in answers] == ["A", "B", "C", "D"]
    assert {answer.column.label for answer in answers} == set(names)
    turns = manager.comparisons.reveal("chat")
    assert [turn.column.name for turn in turns] == [answer.column.label for answer in answers]


def test_the_order_of_a_blind_comparison_is_random():
    from sessionmagic.comparing.comparison import runs_of

    compared = [Contestant(str(number)) for number in range(12)]
    orders = {tuple(run.column.label for run in runs_of(request(), compared, blind=True)) for _ in range(3)}
    assert len(orders) == 3


@on_a_loop
async def test_the_kept_answer_is_continued_and_its_model_and_settings_only_if_wanted(manager):
    answers = await compare(manager, "calm", "recalls", vary={"temperature": [0.5]})
    manager.comparisons.keep("chat", "2")
    session = manager.sessions.load("chat")
    assert (session.head, session.agent_model_overrides, session.settings) == ("2", {}, {})
    answers.keep("recalls temperature=0.5", model=True)
    session = manager.sessions.load("chat")
    assert (session.agent_model_overrides, session.settings) == ({"assistant": "recalls"}, {"temperature": 0.5})


@on_a_loop
async def test_a_kept_column_of_the_default_removes_the_model_of_the_session(manager):
    await ask(manager, model="recalls")
    await compare(manager, "default", "test", vary={"temperature": [0.5]})
    manager.comparisons.keep("chat", "1", model=True)
    session = manager.sessions.load("chat")
    assert (session.agent_model_overrides, session.settings) == ({}, {"temperature": 0.5})


@on_a_loop
async def test_a_failed_column_cannot_be_kept(manager):
    answers = await compare(manager, "dumb", "calm")
    with pytest.raises(UsageError, match="failed before the model said anything"):
        answers.keep(1)


@on_a_loop
async def test_a_cell_that_compares_again_continues_what_it_continued_before(manager):
    await ask(manager)
    cell = Cell(id="cell")
    await compare(manager, "calm", "test", cell=cell)
    manager.comparisons.keep("chat", "1")
    await compare(manager, "calm", "test", cell=cell)
    session = manager.sessions.load("chat")
    assert [turn.parent for turn in session.turns] == [None, "1", "1", "1", "1"]
    assert session.head == "2"
    assert len(comparisons(session)) == 2


@on_a_loop
async def test_only_tools_that_change_nothing_others_see_are_offered(manager):
    def peek() -> str:
        return "seen"

    tools = [
        Tool(name="look", function=peek, read_only=True),
        Tool(name="apart", function=peek, apart=True),
        Tool(name="act", function=peek),
    ]
    script("looks", call("look"), "Done.")
    comparison = await manager.compare(request(tools=tools), contestants(["looks", "test"]))
    turns = [await comparison.start(run) for run in comparison.runs]
    comparison.leave()
    for turn in turns:
        await turn.result()
    assert [{tool.name for tool in turn.sent.tools} for turn in turns] == [{"look", "apart"}] * 2


@on_a_loop
async def test_one_provider_is_asked_by_a_limited_number_of_runs(manager):
    gate = Gate("gate")
    comparison = await manager.compare(request(), contestants(["gate"]), repeat=PER_PROVIDER + 2)
    answering = asyncio.ensure_future(comparison.answers())
    await until(lambda: len(manager.turns.running()) == PER_PROVIDER)
    for turn in manager.turns.running():
        await said(turn)
    assert len(manager.turns.running()) == PER_PROVIDER
    gate.open.set()
    assert len(await answering) == PER_PROVIDER + 2


@on_a_loop
async def test_votes_are_stored_with_the_first_turn_and_replace_each_other(manager):
    answers = await compare(manager, "calm", "recalls", blind=True)
    assert manager.comparisons.vote("chat", "b")[0].vote.best == answers[1].turn
    manager.comparisons.reveal("chat")
    vote = manager.comparisons.vote("chat", "tie")[0].vote
    assert (vote.best, vote.blind) == ("tie", False)
    assert manager.comparisons.vote("chat", "recalls")[0].vote.best == answers["recalls"].turn
    with pytest.raises(UsageError, match="no column 'Z'"):
        manager.comparisons.vote("chat", "Z")


@on_a_loop
async def test_a_session_without_a_comparison_says_how_to_make_one(manager):
    await ask(manager)
    with pytest.raises(UsageError, match="no comparison; %%agent --compare"):
        manager.comparisons.keep("chat", "1")


@pytest.mark.parametrize(
    ("models", "vary", "words"),
    [
        ([], None, "there is no model"),
        (["calm", ""], None, "reference of a model is empty; write default"),
        (["calm", "calm"], None, "calm is named twice; use --repeat 2"),
        (["calm"], {"temperature": [5]}, "temperature=5"),
        (["calm"], {"warmth": [5]}, "'warmth' is not a setting"),
    ],
)
def test_contestants_that_cannot_be_compared_are_refused(models, vary, words):
    with pytest.raises(UsageError, match=words):
        contestants(models, vary)


@pytest.mark.parametrize("options", [{"repeat": 0}, {"repeat": 21}, {"columns": 13}])
@on_a_loop
async def test_more_than_can_be_read_side_by_side_is_refused(manager, options):
    compared = [Contestant("calm", {"seed": seed}) for seed in range(options.pop("columns", 2))]
    with pytest.raises(UsageError, match="at most"):
        await manager.compare(request(), compared, **options)
    assert manager.store.find("chat") is None


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["temperature=0,0.7", "effort=low,high"], {"temperature": [0, 0.7], "effort": ["low", "high"]}),
        (["seed=1"], {"seed": [1]}),
    ],
)
def test_settings_that_vary_are_read_as_typed(words, expected):
    assert parsed_vary(words) == expected


@pytest.mark.parametrize("word", ["temperature", "temperature=0,0", "temperature=0,", "warmth=1,2"])
def test_settings_that_vary_are_checked(word):
    with pytest.raises(UsageError):
        parsed_vary([word])


@on_a_loop
async def test_answers_are_found_by_number_name_and_figure(manager):
    answers = await compare(manager, "calm", "dumb", "recalls")
    assert answers[0] is answers["calm"]
    assert len(answers[:2]) == 2
    assert answers.best("output_tokens").usage.output_tokens == min(answers[at].usage.output_tokens for at in (0, 2))
    assert answers.best(lambda answer: len(str(answer))).column.label == "recalls"
    with pytest.raises(UsageError, match="no answer was completed with a known cost"):
        answers.best("cost")
    with pytest.raises(UsageError, match="did you mean 'seconds'"):
        answers.best("second")
    with pytest.raises(KeyError, match="no column is called 'clam'; did you mean 'calm'"):
        answers["clam"]
    with pytest.raises(UsageError, match="no run 1 of column 9"):
        answers.keep(9)
    assert repr(answers).splitlines()[0] == "calm: It is fine."


@pytest.mark.parametrize(
    ("says", "straight", "swapped"),
    [("VERDICT: first", "first", "first"), ("VERDICT: tie", "tie", "tie"), ("the first one", None, None)],
)
@on_a_loop
async def test_a_judge_is_asked_in_both_orders_and_its_requests_are_counted_apart(manager, says, straight, swapped):
    script("judge", says, each_turn=True)
    await compare(manager, "calm", "recalls", "dumb")
    [first, *_] = await manager.comparisons.judge("chat", Judge("judge"))
    assert first.verdicts == [Verdict("judge", "1", "2", straight, swapped)]
    session = manager.sessions.load("chat")
    assert [request.purpose for request in session.turns[0].requests] == ["answer", "judge", "judge"]
    assert session.turns[0].usage.output_tokens < session.usage.output_tokens


@on_a_loop
async def test_a_judge_with_fewer_than_two_answers_is_an_error(manager):
    await compare(manager, "calm", "dumb")
    with pytest.raises(UsageError, match="fewer than two answers"):
        await manager.comparisons.judge("chat", Judge("calm"))


@on_a_loop
async def test_a_comparison_names_its_models_itself(manager):
    with pytest.raises(UsageError, match="leave the model out"):
        await manager.compare(request(model="calm"), contestants(["calm", "recalls"]))


@on_a_loop
async def test_a_run_that_cannot_start_raises_when_the_others_have_ended(manager):
    comparison = await manager.compare(request(), contestants(["calm", "recalls"]))
    start = comparison._start

    async def starting(each, group):
        if each.model == "calm":
            raise StoreError("the disk is full")
        return await start(each, group)

    comparison._start = starting
    with pytest.raises(StoreError, match="the disk is full"):
        await comparison.answers()
    assert [turn.model for turn in manager.sessions.load("chat").turns] == ["recalls"]
    assert (await ask(manager)).status == "completed"


@on_a_loop
async def test_a_hidden_turn_is_shown_without_its_model(manager):
    await compare(manager, "dumb", "recalls", blind=True, settings={"temperature": 0})
    [first, second] = manager.comparisons.vote("chat", "A")
    shown = [transcript_of("chat", turn) for turn in (first, second)]
    assert [transcript.model for transcript in shown] == ["A", "B"]
    assert "dumb" not in str(shown)
    assert manager.comparisons.reveal("chat") == manager.comparisons.reveal("chat")


@on_a_loop
async def test_a_vote_can_be_on_an_earlier_comparison(manager):
    answers = await compare(manager, "calm", "recalls")
    await compare(manager, "calm", "recalls")
    earlier = answers[0].column.comparison
    assert manager.comparisons.vote("chat", "calm", comparison=earlier)[0].id == answers[0].turn
    with pytest.raises(UsageError, match="no longer has this comparison"):
        manager.comparisons.vote("chat", "calm", comparison="gone")


@on_a_loop
async def test_only_runs_that_were_made_can_be_kept(manager):
    await compare(manager, "calm", "recalls", repeat=2)
    with pytest.raises(UsageError, match="column calm has 2 runs"):
        manager.comparisons.keep("chat", "calm", repeat=3)
    assert manager.comparisons.keep("chat", "calm", repeat=2).column.repeat == 2


@on_a_loop
async def test_a_model_of_the_users_own_without_an_address_is_compared_too(manager):
    class Homemade(TestModel):
        @property
        def base_url(self):
            raise NotImplementedError

    register_model("homemade", Homemade(custom_output_text="mine"))
    answers = await compare(manager, "calm", "homemade")
    assert str(answers["homemade"]) == "mine"


@on_a_loop
async def test_a_comparison_that_asks_for_a_new_session_is_not_told_of_similar_names(manager):
    await ask(manager, session="session")
    await compare(manager, "calm", "test", session="session-2", new=True)
    notes = [turn.notes for turn in manager.sessions.load("session-2").turns]
    assert sorted(notes) == [[], ["new session 'session-2'"]]
    with pytest.raises(SessionExistsError):
        await compare(manager, "calm", "test", session="session-2", new=True)
    await compare(manager, "calm", "test", session="sesion")
    notes = [turn.notes for turn in manager.sessions.load("sesion").turns]
    assert ["new session 'sesion'; did you mean 'session'?"] in notes
