import json

import pytest
from pydantic_ai.messages import (
    InstructionPart,
    ModelRequest,
    ModelResponse,
    NativeToolReturnPart,
    SystemPromptPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from sessionmagic import MemoryStore, Models, SessionManager, TinyStore, register_model
from sessionmagic.conversation.attachment import Attachment
from sessionmagic.conversation.events import ApprovalRequested, Warned
from sessionmagic.exceptions import UsageError
from sessionmagic.keys.cleaning import LEFT_OUT
from sessionmagic.testing import ScriptedModel, call
from sessionmagic.turns.left_out import LeftOut
from sessionmagic.turns.sent_content import SentContent
from tests.turns import ask, events_of, manager_on, on_a_loop

KEY = "sk-ant-" + "a1B2c3D4e5F6" * 8
SECRET = "hunter2-xyz"  # noqa: S105  the one that must not be found
ADVICE = "if the model needs it, use --send-keys"


def asking(*steps):
    """Return a manager with a model that takes these steps, and the model."""
    model = ScriptedModel(*steps)
    register_model("acts", model)
    return SessionManager(MemoryStore(), Models("acts")), model


def warnings(result_events):
    return [event.text for event in result_events if isinstance(event, Warned)]


def stored(manager):
    return repr(manager.sessions.load("chat"))


def sent(model):
    return repr(model.sent)


@on_a_loop
async def test_key_in_a_prompt_is_neither_stored_nor_sent_nor_shown_and_the_user_is_told_once():
    manager, model = asking(call("look"), f"You gave {KEY}.")
    turn = await manager.run(f"use {KEY}", session="chat", tools=[look], yes=True)
    result = await turn.result()
    events = await events_of(turn)
    everything = [stored(manager), sent(model), repr(events), repr(result), manager.turns.sent("chat").text()]
    assert not any(KEY in text or KEY[7:30] in text for text in everything)
    assert model.sent[0][0].parts[0].content == f"use {LEFT_OUT}"
    assert result.text == f"You gave {LEFT_OUT}."
    assert warnings(events) == [
        f"left out of what is sent, stored and shown: a key (prompt); {ADVICE}",
        f"left out of what is sent, stored and shown: a key (answer); {ADVICE}",
    ]


def look() -> str:
    """Look."""
    return "nothing here"


def read_cells() -> str:
    """Read the cells."""
    return f'password = "{SECRET}"\nurl = "postgres://me:pw-12@host/db"'


@on_a_loop
async def test_result_of_a_call_is_sent_without_its_passwords():
    manager, model = asking(call("read_cells"), "Seen.")
    turn = await manager.run("Go", session="chat", tools=[read_cells], yes=True)
    await turn.result()
    events = await events_of(turn)
    assert not any(
        secret in text for secret in (SECRET, "pw-12") for text in (stored(manager), sent(model), repr(events))
    )
    result = model.sent[1][-1].parts[0].content
    assert result == f'password = "{LEFT_OUT}"\nurl = "postgres://me:{LEFT_OUT}@host/db"'
    assert warnings(events) == [
        f"left out of what is sent, stored and shown: a password (result of read_cells); {ADVICE}"
    ]


@on_a_loop
async def test_keys_are_sent_in_a_turn_that_says_so_and_still_not_stored_or_shown():
    manager, model = asking(call("read_cells"), "Seen.", "Fine.")
    turn = await manager.run(f"use {KEY}", session="chat", tools=[read_cells], yes=True, send_keys=True)
    await turn.result()
    events = await events_of(turn)
    assert model.sent[0][0].parts[0].content == f"use {KEY}"
    assert SECRET in sent(model)
    assert not any(s in text for s in (KEY, SECRET) for text in (stored(manager), repr(events)))
    assert KEY not in manager.turns.sent("chat").text()
    assert [text.partition(":")[0] for text in warnings(events)] == [
        "sent because of --send-keys, but not stored or shown"
    ] * 2
    await ask(manager, "Again")
    assert KEY not in repr(model.sent[2])  # the option holds for one turn


@on_a_loop
async def test_value_that_has_left_the_environment_is_not_sent(monkeypatch):
    manager, model = asking("Fine.", "Fine.")
    monkeypatch.setenv("SOME_PASSWORD", "open sesame now")
    await ask(manager, "Hello")
    monkeypatch.delenv("SOME_PASSWORD")
    await ask(manager, "say open sesame now", attachments=[Attachment(name="x", content="open sesame now")])
    assert "open sesame now" not in sent(model) + stored(manager)


@on_a_loop
async def test_key_that_a_users_own_code_gave_to_a_provider_is_known():
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    own = OpenAIChatModel("m", provider=OpenAIProvider(base_url="http://127.0.0.1:1/v1", api_key="open-sesame-lab"))
    register_model("own", own)
    manager, model = asking("Fine.")
    manager.models.resolve("own")
    await ask(manager, "the key is open-sesame-lab")
    assert "open-sesame-lab" not in sent(model) + stored(manager)


@on_a_loop
async def test_approval_shows_the_call_as_it_will_run():
    manager, model = asking(call("run", code=f'connect(password="{SECRET}")'), "Done.")
    ran = []

    def run(code: str) -> str:
        """Run."""
        ran.append(code)
        return "ok"

    turn = await manager.run("Go", session="chat", tools=[run], attended=True)
    async for event in turn.events():
        if isinstance(event, ApprovalRequested):
            assert SECRET in event.args["code"]
            turn.approvals.resolve(event.approval_id, "once")
    await turn.result()
    assert ran == [f'connect(password="{SECRET}")']
    assert SECRET not in stored(manager) + repr(turn.transcript)
    assert json.loads(model.sent[1][1].parts[0].args_as_json_str()) == {"code": f'connect(password="{LEFT_OUT}")'}


@pytest.mark.parametrize("kind", ["memory", "disk"])
@on_a_loop
async def test_name_with_a_key_is_refused_and_nothing_is_stored(kind, home):
    store = MemoryStore() if kind == "memory" else TinyStore(home)
    manager = manager_on(store)
    with pytest.raises(UsageError, match="name would contain a key"):
        await manager.run("Hello", session=KEY)
    await ask(manager, "Hello")
    with pytest.raises(UsageError, match="name would contain a key"):
        store.rename(store.find("chat"), KEY)
    files = [path for path in home.rglob("*") if path.is_file()] if kind == "disk" else []
    assert not any(KEY.encode() in path.read_bytes() or KEY in path.name for path in files)
    assert [summary.name for summary in store.summaries()[0]] == ["chat"]


@pytest.mark.parametrize(
    ("message", "place"),
    [
        (ModelRequest([SystemPromptPart(f"use {KEY}")]), "instructions"),
        (ModelRequest([], instructions=f"use {KEY}"), "instructions"),
        (ModelRequest([ToolReturnPart("look", f"is {KEY}", "1")]), "result of look"),
        (ModelRequest([ToolReturnPart("look", "", "1"), UserPromptPart([f"is {KEY}"])]), "result of a tool"),
        (ModelRequest([UserPromptPart([f"is {KEY}"])]), "prompt"),
        (ModelRequest([UserPromptPart(["is", f"notes:\n\n{KEY}"])]), "attachment"),
        (ModelResponse([ToolCallPart("look", {"a": f"is {KEY}"}, "1")]), "arguments of look"),
        (ModelResponse([ThinkingPart(f"it is {KEY}")]), "reasoning"),
        (ModelResponse([NativeToolReturnPart("look", f"is {KEY}", "1")]), "builtin tool return"),
    ],
)
def test_place_of_a_key_in_a_model_request_is_named(message, place):
    left_out = LeftOut()
    [sent] = SentContent(left_out).messages([message])
    assert KEY not in repr(sent)
    assert f"a key ({place})" in left_out.warning()


@pytest.mark.parametrize("instructions", [None, [InstructionPart(f"use {KEY}")]])
def test_key_in_the_description_of_a_tool_is_not_sent(instructions):
    tool = ToolDefinition(name="look", description=f"Looks with {KEY}.")
    given = ModelRequestParameters(function_tools=[tool], instruction_parts=instructions)
    parameters = SentContent(LeftOut()).parameters(given)
    assert KEY not in repr(parameters)
    assert (parameters.instruction_parts is None) == (instructions is None)
    assert SentContent(LeftOut(sends_keys=True)).parameters(given) is given


@on_a_loop
async def test_result_of_a_turn_that_is_cancelled_before_its_first_step_has_no_keys():
    manager, _ = asking("Fine.")
    turn = await manager.run(f"use {KEY}", session="chat")
    for task in manager._tasks:
        task.cancel()
    result = await turn.result()
    assert result.status == "interrupted"
    assert KEY not in f"{result!r} {result.raw_messages}"
