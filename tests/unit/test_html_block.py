"""HTML that exporters write into Markdown as it is: all of it stays HTML there, whatever a model wrote."""

import nh3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sessionmagic.comparing.answers import Answers
from sessionmagic.comparing.table import Table, Tabular
from sessionmagic.conversation.column import Column
from sessionmagic.conversation.difference import Side, difference
from sessionmagic.conversation.session import Session, TurnRecord
from sessionmagic.conversation.transcript import (
    MessageBlock,
    QuestionBlock,
    ReasoningBlock,
    SummaryBlock,
    TextBlock,
    ToolBlock,
    Transcript,
    ValueBlock,
)
from sessionmagic.conversation.usage import Usage
from sessionmagic.notebook import grid_progress
from sessionmagic.notebook import output as module
from sessionmagic.notebook.commands.diff import Shown
from sessionmagic.notebook.compared import ShownRun
from sessionmagic.notebook.grid_progress import GridProgress
from sessionmagic.notebook.html_block import html_block
from sessionmagic.notebook.kernel.outputs import RichOutput
from sessionmagic.notebook.output import Output
from sessionmagic.notebook.page.columns import _line_output
from sessionmagic.notebook.page.comparison import comparison_output, unfinished_comparison
from sessionmagic.notebook.page.draft import Draft
from sessionmagic.notebook.page.listing import Listing
from sessionmagic.notebook.page.static import answer_outputs, whole_output
from sessionmagic.notebook.recognition import PAGE
from sessionmagic.notebook.view import show_turn
from sessionmagic.turns.turn import TurnResult
from tests.examples import examples

LIVE = "![x](http://evil.example/x.png)"
PIECES = [
    "\n", "\n\n", "\r\n\r\n", "\r\r", "\n \t \n", "\n\f\n", "\n\v\n", "\n\u2028\n", "\n\u0085\n", "\n\u00a0\n",
    LIVE, f"\n{LIVE}\n", "# title", "- item", "```\n", "    code", "$x$", "<b>", "</pre>", "</style>", "<!--", "word",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
HTML = st.lists(
    st.sampled_from([*PIECES, "<p>", "</p>", "<pre>", "<style>x</style>", "<td title='a\n\n"]), max_size=12
).map("".join)


def live(html):
    """Return what of HTML in a Markdown document is read as Markdown."""
    markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = markdown.parse(f"before\n\n{html}\n\n\nafter\n")
    assert [tokens[1].content, tokens[-2].content] == ["before", "after"]
    return [token.type for token in tokens[3:-3] if token.type != "html_block"] + ["block"] * (len(tokens) - 7)


def turn(*blocks, **about):
    return Transcript(session="chat", turn_id="1", blocks=blocks, **({"status": "completed"} | about))


def record(number, parent, text):
    sent = {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": text}]}
    called = {"part_kind": "tool-call", "tool_call_id": "a", "tool_name": "run", "args": {"code": text}}
    returned = {"part_kind": "tool-return", "tool_call_id": "a", "outcome": "success", "content": text + number}
    said = {"kind": "response", "parts": [{"part_kind": "text", "content": f"{text} {number}"}]}
    messages = [sent, {"kind": "response", "parts": [called]}, {"kind": "request", "parts": [returned]}, said]
    return TurnRecord(
        id=number, parent=parent, agent="a", model="m", prompt=text, started_at=1, messages=messages, status="completed"
    )


def differing(text):
    turns = [record("1", None, text), record("2", None, text)]
    session = Session(id="s", name="chat", created_at=1, updated_at=1, turns=turns, head="2")
    return Shown(difference(Side(session, "1"), Side(session, "2")))._repr_html_()


def drafted(text):
    draft = Draft()
    draft.update(turn(TextBlock(text), status="running"), at_once=True)
    return draft.output


def compared(text):
    return [
        ShownRun(Column("c", 1, text, text, 1), turn(TextBlock(text), ToolBlock("a", "f", {})), {"a": [Output({})]}),
        ShownRun(Column("c", 2, "b", "b", 1), turn(ValueBlock(text, text, given=True), warnings=(text,))),
    ]


def result(text, number=1):
    return TurnResult(
        text=text, status="completed", usage=Usage(), model="m", turn="1", session="chat", raw_messages=[],
        column=Column("c", number, text),
    )  # fmt: skip


class Statistics(Tabular):
    def __init__(self, text):
        self.text = text

    def tables(self):
        return [Table((self.text, ""), ((self.text, self.text),), (self.text,)), Table((), (), (self.text,))]


def displayed(monkeypatch, show):
    """Return the outputs that a function displays."""
    outputs = []
    for place in (module, grid_progress):
        monkeypatch.setattr(place, "display", lambda data, **_: outputs.append(data), raising=False)
    show()
    return [Output(data) for data in outputs]


def blocks_of(text):
    return {
        "text": TextBlock(text),
        "code": TextBlock(f"```python\n{text}\n```"),
        "indented code": TextBlock("    " + text.replace("\n", "\n    ")),
        "list": TextBlock(f"- a\n\n  ```\n  {text}\n  ```\n- b"),
        "formula": TextBlock(f"$$\n{text}\n$$"),
        "reasoning": ReasoningBlock(text),
        "call": ToolBlock("a", text, {"code": text, "other": text}, "success", text, 0.1),
        "value": ValueBlock(text, [{"a": text, "b": text}], given=True),
        "single value": ValueBlock(text, text, given=True),
        "value that grows": ValueBlock(f'{{"a": "{text}'),
        "message": MessageBlock(text),
        "question": QuestionBlock("q", text, {}, "accept", text),
        "summary": SummaryBlock(text, "1", 10, 5),
    }


KINDS = {
    "whole turn": lambda text: whole_output(turn(*blocks_of(text).values(), warnings=(text,), notes=(text,))),
    "failed turn": lambda text: answer_outputs(turn(status="failed", error=text, warnings=(text,))),
    "footer": lambda text: answer_outputs(turn(TextBlock("x"), values=(text,), notes=(text,), usage=Usage()))[1:],
    "draft": lambda text: [drafted(text)],
    "comparison": lambda text: [comparison_output(compared(text), "chat", text, text)],
    "unfinished comparison": lambda text: [Output({"text/html": unfinished_comparison(compared(text), text)[0]})],
    "line of a vote": lambda text: [_line_output(text, "<style>x</style>")],
    "displayed HTML": lambda text: [RichOutput({"text/html": f"x<pre>{text}</pre><b>{text}"}).output],
    "displayed Markdown": lambda text: [RichOutput({"text/markdown": f"```\n{text}"}).output],
    "displayed drawing": lambda text: [RichOutput({"image/svg+xml": f"<svg>{text}</svg>"}).output],
    "listing": lambda text: Listing([text], {"name": str, text: str}, [text])._repr_html_(),
    "empty listing": lambda text: Listing([], {"name": str}, [text])._repr_html_(),
    "difference": differing,
    "result": lambda text: result(text)._repr_html_(),
    "answers": lambda text: Answers([result(text), result(f"```\n{text}", 2)], print)._repr_html_(),
    "statistics": lambda text: Statistics(text)._repr_html_(),
}
KINDS |= {
    name: lambda text, name=name: answer_outputs(turn(blocks_of(text)[name], TextBlock(f"{text}\n\nend")))
    for name in blocks_of("")
}


def htmls(shown):
    return [shown] if isinstance(shown, str) else [each.data["text/html"] for each in shown if "text/html" in each.data]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=examples(60))
@given(text=TEXTS)
def test_every_output_is_one_block_in_markdown_and_nothing_in_it_is_read_as_markdown(kind, text):
    found = htmls(KINDS[kind](text))
    assert found
    for html in found:
        assert live(html) == [], html


@pytest.mark.parametrize(
    "show",
    [
        lambda text: show_turn(turn(*blocks_of(text).values()), text, text),
        lambda text: GridProgress(PAGE).say(text),
    ],
    ids=["turn that is shown again", "progress of a grid"],
)
def test_what_is_displayed_is_one_block_too(monkeypatch, show):
    text = "".join(PIECES)
    [html] = htmls(displayed(monkeypatch, lambda: show(text)))
    assert live(html) == []


@given(HTML)
def test_any_html_becomes_one_block(html):
    assert live(html_block(html)) == []


@given(TEXTS)
def test_the_page_shows_and_copies_the_same(text):
    html = nh3.clean(
        f"<div><pre>\n{nh3.clean_text(text)}</pre><code title='{nh3.clean_text(text)}'>{text}</code></div>"
    )
    assert nh3.clean(html_block(html)) == nh3.clean(html)


def test_what_is_one_block_already_stays_as_it_is():
    for html in ("<p>a\nb</p>\n", "<div><pre>\na\n</pre></div>", "<table class='x'></table>", "<hr>"):
        assert html_block(html) == html
    assert html_block(html_block("<pre>a\n\n\nb</pre>")) == "<div><pre>a&#10;&#10;\nb</pre></div>"


def test_very_many_newlines_take_no_time():
    assert len(html_block("<div>" + "\n" * 1_000_000 + "</div>")) > 1_000_000
