"""A blind comparison: until it is revealed, nothing that is shown names a model or the settings of a column."""

import json

import pytest

from sessionmagic.comparing.contestants import contestants
from sessionmagic.comparing.judge import Judge
from sessionmagic.conversation.comparison import shown_turn
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.notebook.exports.html import to_html
from sessionmagic.notebook.exports.notebook import to_notebook
from sessionmagic.sessions.formats.markdown import to_markdown
from sessionmagic.sessions.usage import BY, usage_by
from sessionmagic.testing import script
from sessionmagic.turns.request import Request
from tests.turns import on_a_loop

NAMES = ("secretone", "secrettwo")


async def compared(manager, *steps, models=NAMES, vary=None):
    for name in NAMES:
        script(name, *steps or ["An answer."])
    request = Request(prompt="Which?", session="chat", settings={"seed": 7})
    comparison = await manager.compare(request, contestants(models, vary), blind=True)
    return await comparison.answers()


@on_a_loop
async def test_stored_turns_are_shown_without_models_and_without_the_settings_of_columns(manager):
    await compared(manager, vary={"temperature": [0.25, 0.5]})
    session = manager.sessions.load("chat")
    assert not any("secret" in str(transcript_of("chat", turn)) for turn in session.turns)
    assert [shown_turn(turn).settings for turn in session.turns] == [{"seed": 7}] * 4
    manager.comparisons.reveal("chat")
    turn = manager.sessions.load("chat").turns[0]
    assert shown_turn(turn) is turn


@pytest.mark.parametrize("steps", [(), (["So far", RuntimeError("secretone: no such model")],)])
@on_a_loop
async def test_results_are_represented_without_models(manager, steps):
    answers = await compared(manager, *steps, vary={"temperature": [0.25]})
    for text in (repr(answers), repr(answers[0]), repr(answers[0].column)):
        assert "secret" not in text
        assert "0.25" not in text
    for result in answers:
        assert result.column.name in repr(answers)
    assert "model='calm'" in repr(await (await manager.run("Hello", session="other")).result())


@pytest.mark.parametrize("alloy", [False, True])
@on_a_loop
async def test_usage_is_that_of_columns_until_the_models_are_revealed(manager, alloy):
    await compared(manager, models=[",".join(NAMES), NAMES[1]] if alloy else NAMES)
    session = manager.sessions.load("chat")
    assert not any("secret" in str(usage_by([session], by)) for by in BY)
    assert {entry.model for entry in usage_by([session], "model")} == {"A", "B"}
    manager.comparisons.reveal("chat")
    assert "secret" in str(usage_by([manager.sessions.load("chat")], "turn"))


@on_a_loop
async def test_usage_of_a_judge_is_not_that_of_a_column(manager):
    await compared(manager)
    script("judges", "VERDICT: tie")
    await manager.comparisons.judge("chat", Judge("judges"))
    entries = usage_by([manager.sessions.load("chat")], "model")
    assert [(entry.model, entry.requests) for entry in entries] == [("A", 1), ("judges", 2), ("B", 1)]


@pytest.mark.parametrize("write", [to_markdown, to_html, to_notebook])
@on_a_loop
async def test_an_answer_that_is_kept_blind_is_exported_without_its_model(manager, write):
    await compared(manager, ["So far", RuntimeError("secretone and secrettwo failed")], vary={"temperature": [0.25]})
    manager.comparisons.keep("chat", "A")
    text = write(manager.sessions.load("chat"))
    assert "So far" in text
    assert "secret" not in text
    assert "0.25" not in text
    manager.comparisons.reveal("chat")
    assert "secret" in write(manager.sessions.load("chat"))


@on_a_loop
async def test_the_exported_cell_of_an_answer_that_is_kept_blind_can_run(manager):
    await compared(manager)
    manager.comparisons.keep("chat", "A")
    cells = json.loads(to_notebook(manager.sessions.load("chat")))["cells"]
    assert cells[-1]["source"] == ["%%agent --session chat --set seed=7\n", "Which?"]


@on_a_loop
async def test_an_answer_of_a_comparison_is_not_reused(manager):
    await compared(manager)
    turn = await manager.run("Which?", session="chat", model=NAMES[0], settings={"seed": 7}, reuse=True)
    assert not (await turn.result()).reused
    assert turn.id == "3"


@on_a_loop
async def test_the_last_request_of_a_session_does_not_say_where_it_went(manager):
    await compared(manager, vary={"temperature": [0.25]})
    sent = manager.turns.sent("chat").text()
    assert sent.startswith(("sent to A at", "sent to B at"))
    assert "0.25" not in sent
