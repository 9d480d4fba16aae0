"""What an approval shows of a call beside its arguments."""

import pytest

from sessionmagic.conversation.events import ApprovalRequested
from sessionmagic.conversation.transcript import ToolBlock
from sessionmagic.exceptions import ToolError
from sessionmagic.notebook.page.blocks import Blocks
from sessionmagic.notebook.page.tool_row import ToolRow
from sessionmagic.notebook.terminal.asking import announcement
from sessionmagic.tools.functions import Tool
from tests.turns import acted, acting, ask, asked, events_of, on_a_loop, returned

HEAD = {"session_id": "s", "turn_id": "1", "agent": "a", "at": 0.0, "seq": 1}
DIFFERENCE = "-old <b>\n+new"


class Writer:
    """A tool that writes, and says what it would do."""

    def __init__(self):
        self.previewed, self.wrote = [], []

    @property
    def tool(self):
        return Tool(name="write", function=self.write, preview=self.preview)

    def write(self, text: str) -> str:
        self.wrote.append(text)
        return "written"

    async def preview(self, text: str) -> str:
        self.previewed.append(text)
        if text == "bad":
            raise ToolError("it is write-protected")
        return f"+{text}"


@pytest.fixture
def writer():
    return Writer()


@on_a_loop
async def test_approval_has_the_preview_until_it_is_answered(manager, writer):
    turn, _ = await acting(manager, [("write", {"text": "x"})], "Done", tools=[writer.tool], attended=True)
    [question] = (await asked(turn)).values()
    assert (question.preview, writer.wrote) == ("+x", [])
    assert turn.transcript.blocks[0].preview == "+x"
    turn.approvals.resolve(question.id, "once")
    events = await events_of(turn)
    assert [event.preview for event in events if isinstance(event, ApprovalRequested)] == ["+x"]
    assert (turn.transcript.blocks[0].preview, writer.wrote) == ("", ["x"])


@on_a_loop
async def test_call_whose_preview_fails_is_not_asked_about(manager, writer):
    turn, _ = await acting(manager, [("write", {"text": "bad"})], "Done", tools=[writer.tool], attended=True)
    events = await events_of(turn)
    assert returned(events) == [("write", "failed", "ToolError: it is write-protected")]
    assert not any(isinstance(event, ApprovalRequested) for event in events)
    assert writer.wrote == []


@pytest.mark.parametrize("safety", ["autonomous", "restricted"])
@on_a_loop
async def test_no_preview_is_made_where_nobody_is_asked(manager, writer, safety):
    await ask(manager)
    manager.sessions.set_permissions("chat", {}, safety)
    await acted(manager, [("write", {"text": "x"})], "Done", tools=[writer.tool], attended=True)
    assert writer.previewed == []


def test_page_shows_the_preview_of_a_waiting_call_as_text():
    controls = type("Controls", (), {"asks_on_page": True})()
    row = ToolRow(controls, "", Blocks)
    row.show(ToolBlock("c", "write", {"text": "x"}, approval_id="1", asked={"text": "x"}, preview=DIFFERENCE))
    shown = _html_of(row.box)
    assert "-old &lt;b&gt;" in shown
    assert "<b>" not in shown


def _html_of(box):
    inner = "".join(_html_of(child) for child in getattr(box, "children", ()))
    value = getattr(box, "value", "")
    return inner + (value if isinstance(value, str) else "")


def test_terminal_shows_the_preview_indented_under_the_arguments():
    asks = {"approval_id": "1", "call_id": "c", "tool": "write", "args": {"text": "x"}, "why": "it may act"}
    shown = announcement("chat", ApprovalRequested(**asks, preview=DIFFERENCE, **HEAD))
    assert '    {"text": "x"}\n    -old <b>\n    +new\n' in shown
