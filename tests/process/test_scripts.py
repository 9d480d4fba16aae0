"""The scripts of an agents file as tools: their arguments, and what an approval shows of them."""

import json
import os

import pytest

from sessionmagic.agents.toolsets import Script
from sessionmagic.exceptions import ToolError
from sessionmagic.tools.toolsets.script import ScriptTool
from sessionmagic.tools.toolsets.surroundings import Surroundings
from sessionmagic.tools.toolsets.variables import Variables
from tests.turns import on_a_loop

pytestmark = [pytest.mark.once, pytest.mark.skipif(os.name == "nt", reason="the commands are those of a Unix shell")]
NOTHING = Variables({}, {})
MONTH = {"type": "string", "enum": ["may", "june"], "description": "The month"}


@pytest.fixture
def surroundings(tmp_path):
    (tmp_path / "work" / "data").mkdir(parents=True)
    return Surroundings(directory=tmp_path / "work", store=tmp_path / "store", agent="tutor")


@pytest.fixture
def made(surroundings):
    """Make the tool of a script."""

    def make(name="report", variables=NOTHING, **script):
        return ScriptTool(name, Script(**script), surroundings, variables).tool

    return make


def test_model_is_told_the_description_and_the_arguments(made):
    tool = made(cmd="echo $month", description="Report a month", args={"month": MONTH, "limit": {"description": "N"}})
    assert (tool.name, tool.description, tool.source) == ("report", "Report a month", "script")
    assert tool.schema == {
        "type": "object",
        "properties": {"month": MONTH, "limit": {"type": "string", "description": "N"}},
        "required": ["month", "limit"],
        "additionalProperties": False,
    }
    assert tool.runs_code
    assert not tool.read_only
    assert made(cmd="true", args={"a": {}}, required=()).schema["required"] == []
    assert made(cmd="df -h").description == "Run df -h"


@on_a_loop
async def test_argument_is_a_variable_and_never_part_of_the_command(made):
    tool = made(cmd='echo "[$name]" ${name}', args={"name": {"type": "string"}})
    hostile = "; echo hacked; $(id) `id`"
    assert await tool.function(name=hostile) == f"[{hostile}] {hostile}"


@pytest.mark.parametrize(
    ("value", "text"), [("é", "é"), (3, "3"), (2.5, "2.5"), (True, "true"), (["a", "b"], '["a", "b"]'), ("", "")]
)
@on_a_loop
async def test_other_values_are_written_as_json(made, value, text):
    tool = made(cmd='printf "%s" "<$value>"', args={"value": {"type": ["string", "number", "boolean", "array"]}})
    assert await tool.function(value=value) == f"<{text}>"


@on_a_loop
async def test_argument_that_is_left_out_or_null_is_not_set(made):
    tool = made(cmd='echo "${name-unset}"', args={"name": {"type": ["string", "null"]}}, required=())
    assert await tool.function() == "unset"
    assert await tool.function(name=None) == "unset"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({}, "'month' is a required property"),
        ({"month": "july"}, "month: 'july' is not one of ['may', 'june']"),
        ({"month": 5}, "month: 5 is not of type 'string'"),
        ({"month": "may", "LD_PRELOAD": "/x.so"}, "there is no argument 'LD_PRELOAD'"),
        ({"month": "may", "mont": "x"}, "there is no argument 'mont'; did you mean 'month'?"),
        ({"month": "may", "code": "x1"}, "code does not fit the pattern ^[a-z]+$"),
        ({"month": "may", "code": "a\0b"}, "code does not fit the pattern"),
        ({"month": "may", "note": "a\0b"}, "note has a null character"),
        ({"month": "may", "note": "x" * 100_001}, "or more than 100,000 characters"),
    ],
)
@on_a_loop
async def test_arguments_that_do_not_fit_are_refused_before_anybody_is_asked(made, args, words):
    code = {"type": "string", "pattern": "^[a-z]+$"}
    tool = made(cmd="true", args={"month": MONTH, "code": code, "note": {"type": "string"}}, required=("month",))
    for call in (tool.function, tool.preview):
        with pytest.raises(ToolError) as refused:
            await call(**args)
        assert words in str(refused.value)
        assert "\n" not in str(refused.value)


@on_a_loop
async def test_pattern_that_never_ends_elsewhere_ends_here(made):
    tool = made(cmd="true", args={"code": {"type": "string", "pattern": "(a+)+$"}})
    with pytest.raises(ToolError, match="does not fit"):
        await tool.function(code="a" * 50_000 + "!")


HOSTILE = ["PATH", "LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "BASH_ENV", "ENV", "IFS", "PYTHONPATH", "PERL5LIB", "RUBYOPT"]


@pytest.mark.parametrize("name", [*HOSTILE, "GIT_SSH", "PS4", "HOME"])
def test_model_cannot_set_a_variable_that_makes_programs_run_something_else(made, name):
    with pytest.raises(ToolError, match=f"'{name}' of report cannot be an argument"):
        made(cmd="true", args={name: {"type": "string"}})


@pytest.mark.parametrize("name", ["path", "env", "name", "python_version", "GITHUB_USER", "_x", "Label2"])
def test_ordinary_names_of_arguments_are_fine(made, name):
    assert name in made(cmd="true", args={name: {}}).schema["properties"]


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("re port", {}, "'re port' is not a valid name of a script"),
        ("report", {"a b": {}}, "'a b' of report cannot be an argument"),
        ("report", {"a": "text"}, "the argument 'a' of report is not a mapping"),
    ],
)
def test_script_that_cannot_be_a_tool_is_refused(made, name, args, words):
    with pytest.raises(ToolError, match=words):
        made(name, cmd="true", args=args)


@on_a_loop
async def test_schema_that_is_none_is_said_at_the_call(made):
    tool = made(cmd="true", args={"a": {"type": "nonsense"}})
    with pytest.raises(ToolError, match="the schema of the arguments is not valid"):
        await tool.function(a="x")


@on_a_loop
async def test_approval_shows_the_command_its_directory_and_what_the_file_sets(made):
    variables = Variables({"LD_PRELOAD": "/x.so"}, {"LD_PRELOAD": "$HOME/x.so"})
    tool = made(cmd="echo one\necho two\n", variables=variables, working_dir="data")
    assert await tool.preview() == (
        "runs in data the command\necho one\necho two\nthe agents file sets LD_PRELOAD=$HOME/x.so"
    )


@on_a_loop
async def test_script_runs_in_its_directory_with_its_variables(made, surroundings):
    variables = Variables({"REGION": "north"}, {"REGION": "north"})
    tool = made(cmd="echo $REGION; pwd; echo $SESSIONMAGIC_TOOL; exit 4", variables=variables, working_dir="data")
    said = await tool.function()
    assert said == f"north\n{surroundings.directory}/data\nreport\n[exit code 4]"
    assert json.dumps(said)
