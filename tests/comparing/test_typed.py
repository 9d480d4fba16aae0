"""Comparisons and grids of structured answers: their fields are columns."""

import pytest
from pydantic import BaseModel, field_validator

from sessionmagic import GridRequest, MemoryStore, TinyStore
from sessionmagic.comparing.contestants import contestants
from sessionmagic.notebook.compared import ShownRun, figures, headings
from sessionmagic.testing import call, script
from sessionmagic.turns.request import Request
from tests.turns import manager_on, on_a_loop

pytest.importorskip("pandas")


class Person(BaseModel):
    name: str
    cost: int = 3


@pytest.fixture
def models():
    return {
        "ada": script("ada", '{"name": "Ada"}'),
        "bob": script("bob", call("final_result", name="Bob", cost="x"), call("final_result", name="Bob", cost=4)),
        "none": script("none", "I do not know"),
    }


@pytest.mark.usefixtures("models")
@on_a_loop
async def test_comparison_has_a_column_for_each_field():
    manager = manager_on(MemoryStore())
    request = Request(prompt="Who?", session="chat", output_type=Person)
    comparison = await manager.compare(request, contestants(["ada", "bob", "none"], None))
    turns = [await comparison.start(run) for run in comparison.runs]
    answers = comparison.answers_of([await turn.result() for turn in turns])
    comparison.leave()
    assert [answer.value for answer in answers] == [Person(name="Ada"), Person(name="Bob", cost=4), None]
    frame = answers.to_frame()
    assert frame["name"].tolist()[:2] == ["Ada", "Bob"]
    assert frame["value_cost"].tolist()[:2] == [3, 4]
    runs = [ShownRun(run.column, turn.transcript) for run, turn in zip(comparison.runs, turns, strict=True)]
    assert headings(runs)[-2:] == ["name", "value_cost"]
    assert [row[-2:] for row in figures(runs)] == [["Ada", "3"], ["Bob", "4"], ["–", "–"]]
    assert answers.best(lambda answer: answer.value.cost if answer.value else 0).value.name == "Bob"


def test_grid_has_values_for_scores_and_a_column_for_each_field(models, home):
    manager = manager_on(TinyStore(home))
    asked = {"prompts": ["Who?", "What?"], "models": ["ada", "bob", "none"], "output_type": Person}
    results = manager.grid_sync(**asked, score=lambda _, row: row.value.cost)
    assert [row.value for row in results[:3]] == [Person(name="Ada"), Person(name="Bob", cost=4), None]
    assert [row.scores.get("score") for row in results] == [3, 4, None] * 2
    assert all("does not fit Person" in row.error for row in results if row.model == "none")
    frame = results.to_frame()
    assert frame["name"].tolist()[:2] == ["Ada", "Bob"]
    assert frame["value_cost"].tolist()[:2] == [3, 4]
    assert not {"value", "fields"} & set(frame.columns)
    before = {name: len(model.sent) for name, model in models.items()}
    again = manager_on(TinyStore(home)).grid_sync(**asked)
    assert [row.value for row in again[:2]] == [Person(name="Ada"), Person(name="Bob", cost=4)]
    assert len(models["ada"].sent) == before["ada"]
    assert len(models["none"].sent) == 2 * before["none"]


def test_type_is_part_of_what_is_asked(models):
    manager = manager_on(MemoryStore())
    manager.grid_sync(["Who?"], ["ada"], output_type=Person)
    assert manager.grid_sync(["Who?"], ["ada"], output_type=dict[str, str])[0].value == {"name": "Ada"}
    assert manager.grid_sync(["Who?"], ["ada"])[0].answer == '{"name": "Ada"}'
    assert len(models["ada"].sent) == 3


@pytest.mark.usefixtures("models")
def test_answer_that_a_changed_validator_refuses_stays_plain_json():
    manager = manager_on(MemoryStore())
    first = manager.grid_sync(["Who?"], ["ada"], output_type=Person)

    class Stricter(Person):
        @field_validator("name")
        @classmethod
        def check(cls, value):
            raise ValueError(value)

    Stricter.__name__ = Stricter.model_config["title"] = "Person"
    Stricter.model_rebuild(force=True)
    (row,) = manager.grid_sync(["Who?"], ["ada"], output_type=Stricter)
    assert (row.value, row.answer) == ({"name": "Ada", "cost": 3}, first[0].answer)


@pytest.mark.usefixtures("models")
def test_value_that_is_no_record_has_one_column():
    script("list", '{"value": [1, 2]}')
    results = manager_on(MemoryStore()).grid_sync(["Who?"], ["list"], output_type=list[int])
    assert results.to_frame()["value"].tolist() == [[1, 2]]


@pytest.mark.usefixtures("models")
def test_grid_takes_no_value_for_a_type():
    from sessionmagic import UsageError

    manager = manager_on(MemoryStore())
    with pytest.raises(UsageError, match="the output type 3 is not a type"):
        manager.grids.new(GridRequest(prompts=["Who?"], models=["ada"], output_type=3)).run_sync()
