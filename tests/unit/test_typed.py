"""Structured answers: a model gives a value of a type, in the way that it can, and the value stays with the turn."""

import enum
import json
import pickle
import threading
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, Optional

import pytest
from pydantic import BaseModel, Field, field_serializer, field_validator
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.fallback import FallbackModel
from typing_extensions import TypedDict

from sessionmagic import Cell, MemoryStore, SessionMagicError, UsageError, register_model
from sessionmagic.conversation.events import ToolCallDelta, ToolCalled, ValueDelta, ValueGiven
from sessionmagic.conversation.folding import fold
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.conversation.transcript import TextBlock, Transcript, ValueBlock
from sessionmagic.conversation.value import rows_of, table_of, value_text, without_clashes
from sessionmagic.exceptions import TurnFailedError
from sessionmagic.notebook.page.answer import blocks_html
from sessionmagic.notebook.page.static import answer_outputs
from sessionmagic.notebook.terminal.view import TextView
from sessionmagic.notebook.types import type_names, type_of
from sessionmagic.testing import ScriptedModel, call, hang, script, think
from sessionmagic.tools.permissions import Limits
from sessionmagic.turns.output_type import OutputType
from tests.turns import ask, asked, events_of, manager_on, on_a_loop, orphans, until, whole

KEY = "sk-ant-api03-" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7" * 3 + "-1234567890AA"


class Person(BaseModel):
    name: str
    age: int = 3


class Node(BaseModel):
    name: str
    children: list["Node"] = []


@dataclass
class Point:
    x: int
    tags: list[str] = field(default_factory=list)


class City(TypedDict):
    name: str


class Colour(enum.Enum):
    RED = "red"


class Unfinished(BaseModel):
    other: "Undefined"  # noqa: F821


class Plain:
    pass


class Fails(BaseModel):
    x: int

    @field_validator("x")
    @classmethod
    def check(cls, value):  # noqa: ARG003
        raise KeyError(f"no {KEY}")


class Waits(BaseModel):
    x: int

    @field_validator("x")
    @classmethod
    def check(cls, value):
        BEGUN.set()
        GO_ON.wait(30)
        return value


BEGUN, GO_ON = threading.Event(), threading.Event()
TOOL = call("final_result", name="Ada", age=36)
TEXT = '{"name": "Ada", "age": 36}'
WAYS = {
    "tool": (TOOL, None),
    "text in place of the tool": (TEXT, None),
    "no tools": (TEXT, {"supports_tools": False}),
    "native": (TEXT, {"default_structured_output_mode": "native", "supports_json_schema_output": True}),
    "prompted": (TEXT, {"supports_tools": False, "supports_json_object_output": True}),
    "text": (TEXT, {"supports_tools": False, "supports_json_object_output": False}),
    "block of code": (f"```json\n{TEXT}\n```", {"supports_tools": False}),
    "words around it": (["Here it is:\n", f"```json\n{TEXT}\n```"], {"supports_tools": False}),
    "words before the tool": (["I think it is Ada.", TOOL], None),
    "after reasoning": ([think("Who?"), TOOL], None),
}


def said(session):
    return [
        (part["part_kind"], part.get("content"))
        for turn in session.turns
        for message in turn.messages
        for part in message["parts"]
    ]


@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_answer_is_a_value_in_whatever_way_the_model_gives_it(manager, way):
    step, profile = WAYS[way]
    model = script("s", step, profile=profile)
    turn = await manager.run("Who?", session="chat", model="s", output_type=Person)
    result = await turn.result()
    assert result.value == Person(name="Ada", age=36)
    assert json.loads(str(result)) == {"name": "Ada", "age": 36}
    assert len(model.sent) == 1
    record = manager.sessions.load("chat").turns[0]
    assert (record.value.json, record.value.type) == ({"name": "Ada", "age": 36}, "Person")
    events = whole(await events_of(turn))
    assert not [event for event in events if isinstance(event, ToolCallDelta | ToolCalled)]
    assert [event.value for event in events if isinstance(event, ValueGiven)] == [{"name": "Ada", "age": 36}]
    stored = transcript_of("chat", record)
    assert stored.blocks == tuple(turn.transcript.blocks)
    assert [output.data for output in answer_outputs(stored)] == [
        output.data for output in answer_outputs(turn.transcript)
    ]


TYPES = [
    (Point, {"x": 1}, Point(1), {"x": 1, "tags": []}),
    (City, {"name": "Rome"}, {"name": "Rome"}, {"name": "Rome"}),
    (Node, {"name": "a", "children": [{"name": "b"}]}, Node(name="a", children=[Node(name="b")]), None),
    (list[int], {"value": [1, 2]}, [1, 2], [1, 2]),
    (list[Person], {"value": [{"name": "Ada"}]}, [Person(name="Ada")], [{"name": "Ada", "age": 3}]),
    (dict[str, int], {"a": 1}, {"a": 1}, {"a": 1}),
    (Literal["yes", "no"], {"value": "yes"}, "yes", "yes"),
    (Colour, {"value": "red"}, Colour.RED, "red"),
    (Optional[int], {"value": None}, None, None),  # noqa: UP045  the form that users write
    (Person | Point, {"value": {"x": 1}}, Point(1), {"x": 1, "tags": []}),
    (str, {"value": "Hi"}, "Hi", "Hi"),
    (Annotated[int, Field(gt=3)], {"value": 4}, 4, 4),
]


@pytest.mark.parametrize("way", ["tool", "text"])
@pytest.mark.parametrize(
    ("type_", "written", "value", "stored"), TYPES, ids=[OutputType(each[0]).name for each in TYPES]
)
@on_a_loop
async def test_any_type_that_pydantic_makes_of_json_can_be_asked_for(manager, way, type_, written, value, stored):
    script("s", call("final_result", written) if way == "tool" else json.dumps(written))
    result = await ask(manager, model="s", output_type=type_)
    assert result.value == value
    assert type(result.value) is type(value)
    content = manager.sessions.load("chat").turns[0].value.json
    assert content == (stored if type_ is not Node else {"name": "a", "children": [{"name": "b", "children": []}]})


@on_a_loop
async def test_list_that_a_model_without_tools_writes_without_an_object_around_it_is_the_value(manager):
    model = script("s", '[{"name": "Ada", "age": 36}]', profile={"supports_tools": False})
    turn = await manager.run("Who?", session="chat", model="s", output_type=list[Person])
    assert (await turn.result()).value == [Person(name="Ada", age=36)]
    assert len(model.sent) == 1
    [block] = (each for each in turn.transcript.blocks if isinstance(each, ValueBlock))
    assert block.value == [{"name": "Ada", "age": 36}]


@pytest.mark.parametrize(
    "type_",
    [print, ask, 3, "Person", type(None), Any, object, Plain, Unfinished, list[Plain], [int], {"a": int}],
    ids=lambda type_: getattr(type_, "__name__", repr(type_)),
)
def test_what_is_no_type_is_refused(type_):
    with pytest.raises(UsageError, match=r"the output type .+; give one such as a pydantic model"):
        OutputType(type_)


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("Persn", "name 'Persn' is not defined"),
        ("3", "is not a type"),
        ("None", "None is not a type"),
        ("Any", "says nothing about the answer"),
        ("open('x')", "uses open"),
        ("Unfinished", "is not fully defined"),
        ("list[", "never closed"),
    ],
)
def test_expression_that_is_no_type_is_an_error_of_one_line(expression, why):
    with pytest.raises(UsageError, match=r"^--type needs a type, such as") as caught:
        type_of(expression, {"Any": Any, "Unfinished": Unfinished})
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_completion_offers_the_users_types():
    names = type_names({"Person": Person, "Cities": list[City], "x": 3, "print": print, "_hidden": Person})
    assert names[:2] == ["Person", "Cities"]
    assert "list[int]" in names
    assert not {"x", "print", "_hidden"} & set(names)


@on_a_loop
async def test_answer_that_does_not_fit_is_asked_for_again_with_what_is_wrong(manager):
    model = script("s", call("final_result", name="Ada", age="old"), "I do not know", TEXT)
    turn = await manager.run("Who?", session="chat", model="s", output_type=Person)
    result = await turn.result()
    assert result.value == Person(name="Ada", age=36)
    assert len(manager.sessions.load("chat").turns[0].requests) == 3
    assert "age: Input should be a valid integer" in str(model.sent[1][-1])
    events = await events_of(turn)
    assert len({event.attempt for event in events if isinstance(event, ValueDelta)}) == 2
    assert [type(block) for block in turn.transcript.blocks] == [TextBlock, ValueBlock]  # not the first try
    assert transcript_of("chat", manager.sessions.load("chat").turns[0]).blocks == turn.transcript.blocks


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (call("final_result", name="Ada", age="old"), "age: Input should be a valid integer"),
        ("I do not know", "it is not a JSON object"),
        ("[1, 2]", "it is not a JSON object"),
        ('{"name"', "it is not a JSON object"),
        ('{"age": 3}', "name: Field required"),
    ],
)
@on_a_loop
async def test_turn_fails_with_one_clear_error_if_no_answer_fits(manager, step, why):
    model = script("s", step)
    with pytest.raises(
        TurnFailedError, match=r"s: the answer does not fit Person, also when .+; change the prompt"
    ) as e:
        await failed(manager)
    assert why in str(e.value)
    assert "\n" not in str(e.value)
    assert len(model.sent) == 4
    record = manager.sessions.load("chat").turns[0]
    assert (record.status, record.error_code, record.prompt, record.value) == ("failed", "unfit_answer", "Hello", None)


@pytest.mark.parametrize(
    "steps",
    [
        ["I do not know", "No idea", '{"age": 3}', '{"age": 4}'],
        [call("final_result", age=3), call("final_result", age=4), "No idea", ["It is ", '{"age": 5}']],
    ],
    ids=["words", "calls"],
)
@on_a_loop
async def test_tries_that_did_not_fit_stand_apart(manager, steps):
    tries = ["".join(map(_as_written, step if isinstance(step, list) else [step])) for step in steps]
    script("s", *steps)
    turn = await manager.run("Who?", session="chat", model="s", output_type=Person)
    result = await turn.result()
    assert result.status == "failed"
    assert result.text == "\n\n".join(tries)
    stored = transcript_of("chat", manager.sessions.load("chat").turns[0])
    assert stored.blocks == turn.transcript.blocks == tuple(map(TextBlock, tries))
    assert fold(Transcript(), await events_of(turn)).blocks == stored.blocks


def _as_written(piece):
    return piece if isinstance(piece, str) else piece.arguments


async def failed(manager, **options):
    result = await ask(manager, **({"model": "s", "output_type": Person} | options))
    assert result.value is None
    with pytest.raises(UsageError, match="no structured value"):
        result.to_frame()
    raise result.error


@on_a_loop
async def test_tries_count_as_model_requests(manager):
    script("s", "I do not know")
    result = await ask(manager, model="s", output_type=Person, limits=Limits(requests=2))
    assert (result.status, result.value) == ("limit", None)


@on_a_loop
async def test_validator_that_raises_anything_is_a_fault_without_keys(manager):
    script("s", '{"x": 1}')
    result = await ask(manager, model="s", output_type=Fails)
    assert "KeyError: 'no [key left out]'" in str(result.error)


@on_a_loop
async def test_validator_that_blocks_delays_neither_other_turns_nor_the_end_of_its_own(manager):
    BEGUN.clear()
    GO_ON.clear()
    script("s", '{"x": 1}')
    try:
        turn = await manager.run("Who?", session="chat", model="s", output_type=Waits)
        await until(BEGUN.is_set)
        assert (await ask(manager, session="other")).text == "It is fine."
        turn.cancel()
        result = await turn.result()
    finally:
        GO_ON.set()
    assert (result.status, result.value) == ("interrupted", None)


@on_a_loop
async def test_serializer_that_raises_leaves_what_the_model_wrote(manager):
    class Odd(BaseModel):
        x: int

        @field_serializer("x")
        def dump(self, value):  # noqa: ARG002
            raise RuntimeError

    script("s", '{"x": 1}')
    result = await ask(manager, model="s", output_type=Odd)
    assert (result.value, str(result)) == (Odd(x=1), '{\n  "x": 1\n}')


@pytest.mark.parametrize(("digits", "stored"), [("9" * 18, int("9" * 18)), ("1" + "0" * 30, 1e30), ("9" * 400, None)])
@on_a_loop
async def test_number_that_the_store_does_not_take_is_stored_as_near_as_it_can(home, digits, stored):
    script("s", f'{{"value": {digits}}}')
    result = await ask(manager_on(home), model="s", output_type=int)
    assert (result.status, result.value) == ("completed", int(digits))
    assert manager_on(home).sessions.load("chat").turns[0].value.json == stored


@on_a_loop
async def test_number_that_json_does_not_have_is_null_where_it_is_stored(manager):
    script("s", '{"value": [NaN, 1.5]}')
    result = await ask(manager, model="s", output_type=list[float])
    assert result.value[0] != result.value[0]  # NaN
    assert json.loads(str(result)) == [None, 1.5]


@on_a_loop
async def test_value_is_stored_shown_and_given_without_keys(manager):
    script("s", [call("final_result", name=KEY, age=1)])
    turn = await manager.run("Who?", session="chat", model="s", output_type=Person)
    result = await turn.result()
    seen = [result, str(result), result.raw_messages, await events_of(turn), manager.sessions.load("chat")]
    assert "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7aB3" not in repr(seen)
    assert result.value.name == "[key left out]"


@on_a_loop
async def test_reused_answer_is_a_value_again_and_another_type_is_asked_for_anew(manager):
    model = script("s", TEXT)
    options = {"model": "s", "reuse": True, "cell": Cell(id="c")}
    await ask(manager, output_type=Person, **options)
    again = await ask(manager, output_type=Person, **options)
    assert (again.value, again.reused, len(model.sent)) == (Person(name="Ada", age=36), True, 1)
    assert again.to_frame().to_dict("records") == [{"name": "Ada", "age": 36}]

    class Person2(BaseModel):
        name: str

    Person2.__name__ = "Person"
    assert not (await ask(manager, output_type=Person2, **options)).reused
    assert not (await ask(manager, **options)).reused


@on_a_loop
async def test_value_stays_as_json_when_the_process_has_ended(home):
    script("s", TEXT)
    await ask(manager_on(home), model="s", output_type=Person, cell=Cell(id="c"))

    class Older(BaseModel):
        name: str
        age: int = 3

        @field_validator("age")
        @classmethod
        def check(cls, value):
            raise ValueError(value)

    Older.__name__ = "Person"
    script("s", TEXT)
    schema = OutputType(Person).schema
    kind = OutputType(Older)
    kind.schema, kind.name = schema, "Person"
    again = await ask(manager_on(home), model="s", output_type=kind, cell=Cell(id="c"), reuse=True)
    assert (again.reused, again.value) == (True, {"name": "Ada", "age": 36})


@on_a_loop
async def test_tools_are_called_before_the_answer(manager, tools):
    script("s", call("look", at="it"), TOOL)
    result = await ask(manager, model="s", output_type=Person, tools=tools.all)
    assert (tools.ran, result.value) == (["look it"], Person(name="Ada", age=36))


@on_a_loop
async def test_call_beside_the_answer_leaves_a_valid_history(manager, tools):
    script("s", [call("send", to="me"), TOOL])
    result = await ask(manager, model="s", output_type=Person, tools=tools.all)
    assert (result.value, tools.ran) == (Person(name="Ada", age=36), [])
    other = script("other", "Fine")
    later = await ask(manager, "And now?", model="other")
    assert '"name": "Ada"' in str(other.sent[0])
    assert orphans([*other.sent[0], *later.messages[1:]]) == []
    assert later.value is None


@pytest.mark.parametrize(
    "steps", [[call("send", to="me"), TOOL], [[call("send", to="me"), TOOL]]], ids=["first", "beside"]
)
@pytest.mark.parametrize(("decision", "ran"), [("once", ["send me"]), ("reject", [])])
@on_a_loop
async def test_answer_waits_for_the_decision_on_a_call(manager, tools, steps, decision, ran):
    script("s", *steps)
    turn = await manager.run("Who?", session="chat", model="s", output_type=Person, tools=tools.all, attended=True)
    [question] = (await asked(turn)).values()
    assert (question.tool, turn.transcript.status, tools.ran) == ("send", "running", [])
    turn.approvals.resolve(question.id, decision)
    result = await turn.result()
    assert (result.status, result.value, tools.ran) == ("completed", Person(name="Ada", age=36), ran)
    other = script("other", "Fine")
    await ask(manager, "And now?", model="other")
    assert orphans(other.sent[0]) == []


@on_a_loop
async def test_answer_beside_a_call_that_waits_is_no_value_if_the_turn_is_stopped(manager, tools):
    script("s", [call("send", to="me"), TOOL])
    turn = await manager.run("Who?", session="chat", model="s", output_type=Person, tools=tools.all, attended=True)
    await asked(turn)
    turn.cancel()
    result = await turn.result()
    assert (result.status, result.value, tools.ran) == ("interrupted", None, [])
    other = script("other", "Fine")
    await ask(manager, "And now?", model="other")
    assert orphans(other.sent[0]) == []


@on_a_loop
async def test_later_turns_have_the_answer_as_text_and_no_output_tool(manager):
    script("s", [think("Hm"), call("final_result", name="Ada", age="old")], TOOL)
    await ask(manager, "Who?", model="s", output_type=Person)
    assert [kind for kind, _ in said(manager.sessions.load("chat"))] == [
        "user-prompt",
        "thinking",
        "text",
        "retry-feedback",
        "text",
    ]
    other = script("other", "Fine")
    await ask(manager, "And now?", model="other", tools=[])
    assert "final_result" not in str(other.sent[0])
    assert "final_result" not in other.offered[0]


@on_a_loop
async def test_answer_that_is_stopped_is_no_value(manager):
    script("s", ['{"name": "A', hang()])
    turn = await manager.run("Who?", session="chat", model="s", output_type=Person)
    await until(lambda: turn.transcript.blocks)
    assert "A" in blocks_html(turn.transcript.blocks)
    turn.cancel()
    result = await turn.result()
    assert (result.status, result.value) == ("interrupted", None)
    assert transcript_of("chat", manager.sessions.load("chat").turns[0]).blocks == turn.transcript.blocks


@on_a_loop
async def test_test_model_gives_a_value(manager):
    result = await ask(manager, model="test", output_type=Person)
    assert isinstance(result.value, Person)


def test_long_and_wide_lists_are_cut_where_they_are_shown():
    table = table_of([{f"c{n}": row for n in range(50)} for row in range(10_000)])
    assert (len(table.rows), len(table.headings)) == (100, 30)
    assert table.notes == (
        "100 of 10,000 rows are shown; the value has all of them",
        "30 of 50 columns are shown; the value has all of them",
    )
    assert len(rows_of([{"x": 1}] * 10_000)) == 10_000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"name": "Ada", "tags": ["a"]}, 'field  value\nname   Ada\ntags   ["a"]'),
        ([{"a": 1}, {"b": None}], "a  b\n1\n"),
        ([1, 2], "value\n1\n2"),
        ({"marks": [{"a": 1}, {"b": 2}]}, "a  b\n1\n   2"),
        ({"marks": [{"a": 1}, 2]}, 'field  value\nmarks  [{"a": 1}, 2]'),
        ({"marks": [{"a": 1}], "by": "Ada"}, 'field  value\nmarks  [{"a": 1}]\nby     Ada'),
        ([], "the list is empty"),
        ("two\nlines", "two\nlines"),
        (None, "null"),
        (1.5, "1.5"),
    ],
)
def test_value_as_lines_of_text(value, text):
    assert value_text(value) == text


def test_a_record_that_wraps_a_list_of_records_has_its_rows():
    assert rows_of({"marks": [{"a": 1}, {"a": 2}]}) == [{"a": 1}, {"a": 2}]
    assert rows_of({"marks": []}) == [{"marks": []}]


def test_field_with_the_name_of_another_column_gets_value_before_it():
    fields = {"cost": 1, "value_cost": 2, "name": 3}
    assert without_clashes(fields, ["cost", "model"]) == {"value_value_cost": 1, "value_cost": 2, "name": 3}


@on_a_loop
async def test_hostile_words_in_a_value_are_text(manager):
    hostile = "<img src=x onerror=alert(1)>|`$x$`\x1b[31m"
    script("s", call("final_result", {hostile: hostile}))
    turn = await manager.run("Who?", session="chat", model="s", output_type=dict[str, str])
    await turn.result()
    (output, _) = answer_outputs(turn.transcript)
    assert "<img" not in output.data["text/html"]
    assert "mathjax_ignore" in output.data["text/html"]
    assert "<img" not in output.data["text/markdown"].replace("\\<", "")
    assert "\x1b" not in "".join(output.data.values())


def final_result(x: int) -> int:
    """Return it."""
    return x


@pytest.mark.parametrize("options", [{"output_type": print}, {"output_type": Person, "tools": [final_result]}])
@on_a_loop
async def test_type_is_checked_before_anything_is_stored(options):
    manager = manager_on(MemoryStore())
    with pytest.raises(SessionMagicError, match=r"not a type|rename your function"):
        await ask(manager, **options)
    assert manager.sessions.summaries()[0] == []


@on_a_loop
async def test_member_of_a_fallback_is_asked_in_the_way_that_it_takes(manager):
    first = ScriptedModel(ModelHTTPError(500, "first", None), name="first")
    second = ScriptedModel(TEXT, name="second", profile={"supports_tools": False})
    register_model("both", FallbackModel(first, second))
    assert (await ask(manager, model="both", output_type=Person)).value == Person(name="Ada", age=36)


def test_type_goes_to_another_process_with_its_class():
    assert pickle.loads(pickle.dumps(OutputType(Person))) == OutputType(Person)  # noqa: S301


@on_a_loop
async def test_terminal_prints_the_table_once_it_is_complete(manager, capsys):
    script("s", ["Here it is:\n", f"```json\n{TEXT}\n```"])
    view = TextView()
    turn = await manager.run("Who?", session="chat", model="s", output_type=Person)
    await turn.result()
    view.update(replace(turn.transcript, blocks=(TextBlock("Here it is:"),)))
    view.finish(turn.transcript, [])
    shown = capsys.readouterr().out
    assert "field  value\nname   Ada\nage    36\n" in shown
    assert shown.startswith("Here it is:\n\n")
