"""Functions as tools: what can be one, how the model learns of it, and how it is called."""

import asyncio
import functools
import threading
from collections.abc import Iterable

import pytest
from pydantic_ai.profiles import ModelProfile

from sessionmagic import MemoryStore, tool
from sessionmagic.exceptions import ToolError
from sessionmagic.tools.functions import Tool, offered, registered, tool_of
from tests.turns import acted, ask, manager_on, on_a_loop, returned


@pytest.fixture
def manager():
    return manager_on(MemoryStore())


def add(a: int, b: int = 2) -> int:
    """Add two numbers.

    At length.
    """
    return a + b


def giving(result):
    """A tool that returns this."""

    def give():
        return result

    return give


@pytest.fixture
def registry():
    """The registered tools; what a test adds is gone after it."""
    before = dict(registered)
    registered.clear()
    yield registered
    registered.clear()
    registered.update(before)


@on_a_loop
async def test_function_runs_with_the_arguments_of_the_model_and_the_model_reads_its_result(manager):
    calls = ["Let me see.", ("add", {"a": 1}), ("add", {"a": 1, "b": 5})]
    result, events, model = await acted(manager, calls, "Three and six.", tools=[add], yes=True)
    assert (result.status, result.text) == ("completed", "Let me see.\n\nThree and six.")
    assert sorted(returned(events)) == [("add", "success", "3"), ("add", "success", "6")]
    assert [part.content for part in model.sent[1][-1].parts] == [3, 6]
    assert manager.sessions.load("chat").turns[0].messages == result.raw_messages


@on_a_loop
@pytest.mark.usefixtures("registry")
async def test_turn_with_only_its_own_tools_is_not_offered_those_that_were_marked(manager):
    tool(name="marked")(giving(1))
    _, _, model = await acted(manager, "Done", tools=[add], only_tools=True)
    assert list(model.offered[0]) == ["add"]
    _, _, model = await acted(manager, "Done", tools=[add])
    assert list(model.offered[0]) == ["marked", "add"]


@on_a_loop
async def test_model_is_told_what_docstring_and_annotations_say(manager):
    _, _, model = await acted(manager, "Done", tools=[add])
    [offered] = model.offered[0].values()
    assert (offered.name, offered.description) == ("add", "Add two numbers.\n\nAt length.")
    assert offered.parameters_json_schema["required"] == ["a"]
    assert offered.parameters_json_schema["properties"]["b"] == {"default": 2, "type": "integer"}
    assert tool_of(add).description == "Add two numbers."
    assert tool_of(giving(1)).description == ""


@on_a_loop
async def test_model_is_not_told_of_other_sections_of_a_docstring(manager):
    def load(month: str) -> str:
        """Load a month.

        Args:
            month: Its name.

        Note:
            It takes a minute.

        Raises:
            KeyError: When there is no such month.
        """
        return month

    _, _, model = await acted(manager, "Done", tools=[load])
    [offered] = model.offered[0].values()
    assert offered.description == "Load a month."
    assert offered.parameters_json_schema["properties"]["month"] == {"description": "Its name.", "type": "string"}


@on_a_loop
async def test_tool_with_a_schema_of_its_own_is_offered_with_it(manager):
    schema = {"type": "object", "properties": {"month": {"type": "string", "enum": ["may"]}}, "required": ["month"]}

    async def load(**args):
        """Load a month."""
        return args["month"]

    offers = Tool(name="load", function=load, read_only=True, schema=schema)
    assert offers.arguments == ["month"]
    _, events, model = await acted(manager, [("load", {"month": "may"})], "Done", tools=[offers])
    assert returned(events) == [("load", "success", "may")]
    [offered] = model.offered[0].values()
    assert (offered.description, offered.parameters_json_schema) == ("Load a month.", schema)


@on_a_loop
async def test_function_may_be_asynchronous_and_a_synchronous_one_does_not_hold_up_the_loop(manager):
    opened = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def wait():
        await opened.wait()
        return "opened"

    def open_it():
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(30)
        loop.call_soon_threadsafe(opened.set)
        return threading.current_thread() is threading.main_thread()

    _, events, _ = await acted(manager, [("wait", {}), ("open_it", {})], "Done", tools=[wait, open_it], yes=True)
    assert sorted(returned(events)) == [("open_it", "success", "false"), ("wait", "success", "opened")]


@on_a_loop
async def test_default_that_no_schema_can_hold_is_left_out_of_it_without_a_warning(manager):
    def add(a: int, of: object = Indescribable):  # noqa: ARG001  only its schema counts
        return a + 1

    _, events, model = await acted(manager, [("add", {"a": 1})], "Done", tools=[add], yes=True)
    assert returned(events) == [("add", "success", "2")]
    assert model.offered[0]["add"].parameters_json_schema["required"] == ["a"]


@on_a_loop
async def test_argument_that_can_be_read_once_reaches_the_tool_unread(manager):
    def total(of: Iterable[float]) -> float:
        return sum(of)

    calls = [("total", {"of": [1, 2, 3.5]}), ("total", {"of": ["much"]})]
    _, events, _ = await acted(manager, calls, "Done", tools=[total], yes=True)
    added, failed = sorted(returned(events), key=lambda call: call[1] == "failed")
    assert added == ("total", "success", "6.5")
    assert (failed[1], "valid number" in failed[2]) == ("failed", True)


@on_a_loop
async def test_method_of_an_object_can_be_a_tool(manager):
    class Counter:
        n = 0

        def up(self, by: int) -> int:
            self.n += by
            return self.n

    counter = Counter()
    _, events, model = await acted(manager, [("up", {"by": 3})], "Done", tools=[counter.up], yes=True)
    assert (returned(events), counter.n) == ([("up", "success", "3")], 3)
    assert list(model.offered[0]["up"].parameters_json_schema["properties"]) == ["by"]


class Greeter:
    def __call__(self, name: str) -> str:
        return f"Hello, {name}"


def greet(greeting: str, name: str) -> str:
    return f"{greeting}, {name}"


@pytest.mark.parametrize("function", [Greeter(), functools.partial(greet, "Hello")], ids=["object", "partial"])
@on_a_loop
async def test_what_has_no_name_of_its_own_is_refused_in_one_line(manager, function):
    with pytest.raises(ToolError, match="greet cannot be offered as a tool") as refused:
        await acted(manager, "Done", tools=[tool_of(function, name="greet")], yes=True)
    assert "\n" not in str(refused.value)
    assert not manager.sessions.summaries()[0]


@on_a_loop
async def test_tool_that_does_not_exist_is_an_error_that_the_model_sees(manager):
    result, events, model = await acted(manager, [("ad", {"a": 1})], "Sorry.", tools=[add], yes=True)
    [(tool, outcome, words)] = returned(events)
    assert (tool, outcome) == ("ad", "retried")
    assert words == model.sent[1][-1].parts[0].content == "Unknown tool name: 'ad'. Available tools: 'add'"
    assert (result.status, result.text) == ("completed", "Sorry.")


@on_a_loop
async def test_model_may_be_wrong_about_a_name_more_than_once(manager):
    steps = [("ad", {"a": 1})], [("ad", {"a": 1})], [("add", {"a": 1})], "Three."
    result, events, _ = await acted(manager, *steps, tools=[add], yes=True)
    assert [outcome for _, outcome, _ in returned(events)] == ["retried", "retried", "success"]
    assert (result.status, result.text) == ("completed", "Three.")


@on_a_loop
async def test_arguments_that_do_not_fit_are_an_error_that_the_model_can_mend(manager):
    wrong = [{"a": "x"}, {}, {"a": 1, "c": 1}, '{"a": ', "[1]", '"a"', "nonsense", "null"]
    steps = [("add", args) for args in wrong], [("add", {"a": 1})], "Three."
    result, events, _ = await acted(manager, *steps, tools=[add], yes=True)
    assert [outcome for _, outcome, _ in returned(events)] == ["retried"] * len(wrong) + ["success"]
    assert (result.status, result.text) == ("completed", "Three.")
    assert (await ask(manager, "Next", model="calm")).status == "completed"


@on_a_loop
async def test_model_that_never_gets_its_arguments_right_fails_the_turn_and_the_session_goes_on(manager):
    result, events, _ = await acted(manager, [("add", {"a": "x"})], tools=[add], yes=True)
    assert result.status in {"failed", "limit"}
    assert len(returned(events)) < 10
    assert (await ask(manager, "Next", model="calm")).status == "completed"


@on_a_loop
async def test_marked_function_is_offered_in_every_turn_and_a_later_one_takes_its_place(manager, registry):
    @tool(read_only=True)
    def look() -> str:
        return "old"

    @tool
    def change():
        pass

    @tool(name="peek", read_only=True)
    def other():
        pass

    assert look() == "old"
    assert sorted(registry) == ["change", "look", "peek"]

    @tool(read_only=True)
    def look() -> str:
        return "new"

    _, events, model = await acted(manager, [("look", {}), ("change", {})], "Done")
    assert sorted(model.offered[0]) == ["change", "look", "peek"]
    changed, looked = sorted(returned(events))
    assert looked == ("look", "success", "new")
    assert changed[:2] == ("change", "denied")


@on_a_loop
@pytest.mark.usefixtures("registry")
async def test_tool_given_to_a_turn_takes_the_place_of_a_marked_one_in_that_turn(manager):
    tool(read_only=True, name="give")(giving("marked"))
    given = tool_of(giving("given"), read_only=True)
    for tools, word in (([given], "given"), ([], "marked")):
        _, events, model = await acted(manager, [("give", {})], "Done", tools=tools)
        assert list(model.offered[0]) == ["give"]
        assert returned(events) == [("give", "success", word)]


@on_a_loop
@pytest.mark.usefixtures("registry")
async def test_marked_function_that_is_also_given_to_a_turn_stays_as_it_was_marked(manager):
    function = giving("seen")
    tool(read_only=True, name="look")(function)
    _, events, model = await acted(manager, [("look", {})], "Done", tools=[function])
    assert list(model.offered[0]) == ["look"]
    assert returned(events) == [("look", "success", "seen")]


@pytest.mark.usefixtures("registry")
def test_later_tool_takes_the_place_of_an_earlier_one_of_the_same_name():
    marked, given, last = giving("marked"), giving("given"), giving("last")
    tool(name="give")(marked)
    tool(name="look")(giving("seen"))
    assert [each.name for each in offered()] == ["give", "look"]
    assert [each.function for each in offered([given, last, add])][::2] == [last, add]


@on_a_loop
async def test_model_that_cannot_call_tools_is_offered_none(manager):
    profile = ModelProfile(supports_tools=False)
    result, _, model = await acted(manager, "Hello", tools=[add], profile=profile)
    assert (result.text, model.offered) == ("Hello", [{}])


class Indescribable:
    pass


def takes_anything(thing: Indescribable):
    pass


def takes_undefined(thing: "Undefined"):  # noqa: F821
    pass


def yields():
    yield 1


async def yields_too():
    yield 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (5, "of type int; only functions can be tools"),
        ("add", "of type str; only functions can be tools"),
        (None, "of type NoneType; only functions can be tools"),
        (lambda x: x, "'<lambda>' is not a valid tool name"),
        (functools.partial(add, 1), "'' is not a valid tool name"),
        (takes_anything, "takes_anything cannot be offered as a tool"),
        (takes_undefined, "takes_undefined cannot be offered as a tool"),
        (yields, "yields is a generator, which cannot be a tool; return a list instead"),
        (yields_too, "yields_too is a generator"),
        (int, "the parameters of int cannot be read; offer a function of yours that calls it"),
        (max, "the parameters of max cannot be read"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
@pytest.mark.parametrize("supports_tools", [True, False])
@on_a_loop
async def test_what_cannot_be_a_tool_is_refused_and_nothing_is_stored(manager, wrong, words, supports_tools):
    profile = ModelProfile(supports_tools=supports_tools)
    with pytest.raises(ToolError) as caught:
        await acted(manager, "Done", tools=[add, wrong], profile=profile)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert manager.sessions.summaries() == ([], [])
    assert manager.turns.running() == []


@on_a_loop
async def test_refused_tool_leaves_a_session_and_its_override_as_they_were(manager):
    await ask(manager)
    before = manager.sessions.load("chat")
    with pytest.raises(ToolError):
        await acted(manager, "Done", tools=[add, max])
    assert manager.sessions.load("chat") == before
    assert (await ask(manager)).status == "completed"


def test_method_without_its_object_is_refused():
    with pytest.raises(ToolError, match=r"tool\(thing.look\)"):

        class Thing:
            @tool
            def look(self) -> str:
                return "seen"


@pytest.mark.parametrize("name", ["two words", "1st", "a.b", "naïve", "x" * 65, "a\n", "-a"])
def test_name_that_providers_refuse_is_refused(name, registry):
    with pytest.raises(ToolError, match="is not a valid tool name"):
        tool(name=name)(add)
    assert registry == {}
