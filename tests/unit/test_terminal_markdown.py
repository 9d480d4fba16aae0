"""Markdown in a terminal: written as it comes, and never changed again."""

import contextvars
import io
import re
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.cells import cell_len
from rich.console import Console

from sessionmagic.conversation.transcript import TextBlock, ToolBlock, Transcript, ValueBlock
from sessionmagic.notebook.captions import answer_text
from sessionmagic.notebook.page.growing import cut_code, finished_blocks, items_length
from sessionmagic.notebook.surface import prose_of
from sessionmagic.notebook.terminal import calls
from sessionmagic.notebook.terminal.calls import CallText
from sessionmagic.notebook.terminal.markdown import CODE_LENGTH, FAINT, MarkdownWriter, markdown_terminal
from sessionmagic.notebook.terminal.rich_terminal import LONGEST, RichTerminal
from sessionmagic.notebook.terminal.text import turn_text
from sessionmagic.notebook.terminal.view import TextView
from sessionmagic.turns.turn import current_turn

ANSWER = """# A title

Some **bold words** and `code`, with a [link](https://example.org/a?b=1), that go on
over two lines.

1. first
2. second
   - nested
3. third

```python
def f(x):

    return "a string"  # and a comment
```

| one | two |
|---|---|
| a b | c |

> quoted

The end."""
STYLE = re.compile(r"\x1b\[[0-9;]*m")


class Tty(io.StringIO):
    def isatty(self):
        return True


def terminal(width=100, **options):
    console = Console(file=Tty(), width=width, force_terminal=True, color_system="256", **options)
    return RichTerminal(console)


def writer(width=100):
    return MarkdownWriter(terminal(width), finished_blocks, items_length, cut_code)


def shown(capsys, text, width=100, size=10_000):
    """What the terminal shows of a text that comes in pieces of this size, without colours."""
    view = TextView(writer=writer(width).released())
    for end in range(size, len(text) + size, size):
        view.update(Transcript(turn_id="1", blocks=(TextBlock(text[:end]),)))
    view.finish(Transcript(turn_id="1", status="completed", blocks=(TextBlock(text),)), ())
    return STYLE.sub("", capsys.readouterr().out).removesuffix("— turn 1\n")


def words(text):
    return re.findall(r"\w+", text)


@pytest.mark.parametrize("width", [30, 100])
def test_however_the_text_comes_the_same_is_shown_and_in_whole_lines(capsys, width):
    whole = shown(capsys, ANSWER, width)
    for size in (1, 3, 7, 50):
        assert shown(capsys, ANSWER, width, size) == whole
    assert [word for word in words(whole) if word not in {"1", "2", "3"}] == [
        word for word in words(ANSWER.replace("python", "")) if word not in {"1", "2", "3"}
    ]
    assert "**" not in whole
    assert "```" not in whole
    assert "\n\n\n" not in whole
    assert max(map(len, whole.splitlines())) <= width


def test_a_block_is_written_when_it_is_finished_a_list_by_items_and_code_by_lines(capsys):
    out = writer().released()
    written = []
    for piece in ("Some *words*", " go on.\n\nNext", ".\n\n- one\n- t", "wo\n- three\n\n", "```\nfirst\nsec", "ond\n"):
        out.markdown(piece)
        written.append([line.strip() for line in STYLE.sub("", capsys.readouterr().out).splitlines() if line.strip()])
    assert written == [[], ["Some words go on."], ["Next."], ["• one", "• two"], ["• three", "first"], ["second"]]
    out.markdown("```\n\n# The end\nis")
    assert STYLE.sub("", capsys.readouterr().out).split() == ["The", "end"]
    out.end()
    assert capsys.readouterr().out == "\nis\n"


def test_code_is_written_as_it_is_once_however_long_it_is(capsys):
    code = "\n".join(f"value_{at} = '{'x' * (at % 60)}'" for at in range(LONGEST // 30))
    assert len(code) > max(LONGEST, 3 * CODE_LENGTH)
    text = f"```python\n{code}\n```\nEnd."
    lines = [line.rstrip() for line in shown(capsys, text, size=1_000).splitlines()]
    assert lines[:-2] == code.splitlines()
    assert lines[-2:] == ["", "End."]


HOSTILE = (
    "a\x1b[2Jb\x1b]0;title\x07c &#x202e;d &#27;[2Je <b>bold</b> <!-- hidden --> ![picture](http://x.org/y.png) "
    "[click](https://evil.org/?q=1 'title') \\(x_1\\)\n\n<div>block</div>\n\n[ref]: http://r.org\n"
)


def test_nothing_is_hidden_and_no_control_character_is_written(capsys):
    text = shown(capsys, HOSTILE, 300)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    for said in ("␛[2Jb␛]0;title␇c", "⟨U+202E⟩d", "<b>bold</b>", "<!-- hidden -->", "http://x.org/y.png", r"\(x_1\)"):
        assert said in text
    assert "click (https://evil.org/?q=1)" in text
    assert "<div>block</div>" in text


@pytest.mark.parametrize("width", [60, 40, 14])
def test_narrow_table_loses_nothing(capsys, width):
    cells = [f"word{at}isverylong{at}" for at in range(8)]
    table = "| a | b | c | d |\n|---|---|---|---|\n" + "".join(
        f"| {' | '.join(cells[at : at + 4])} |\n" for at in (0, 4)
    )
    text = shown(capsys, table, width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    assert sorted(re.findall(r"[a-z0-9]", text)) == sorted(re.findall(r"[a-z0-9]", table.replace("---", "")))


@pytest.mark.parametrize(
    "text",
    [">" * 3_000 + "deep", ">" * 16 + "deep", "[" * 5_000, "- " * 2_000 + "x", "- " * 8 + "x", "x" * 2 * LONGEST],
)
def test_text_that_breaks_the_renderer_is_written_as_it_is(capsys, text):
    assert "".join(shown(capsys, text, 20).split()).endswith(text.split()[-1][-4:])


def test_status_stands_below_the_text_until_something_else_may_be_written(capsys):
    said = Transcript(session="chat", model="m", turn_id="1", blocks=(TextBlock("One.\n\nTw"),))
    view = TextView(writer=writer())
    view.update(Transcript())
    assert capsys.readouterr().out.endswith(f"{FAINT}0 s · starting\x1b[22m")
    view.update(said)
    text, status = capsys.readouterr().out.split("\n")
    assert (text, "answering" in status) == ("\r\x1b[KOne.", True)
    runs = ToolBlock("1", "run", {"code": "1"}, began=True)
    view.update(replace(said, blocks=(*said.blocks, runs)))
    assert STYLE.sub("", capsys.readouterr().out) == "\r\x1b[K\nTw\n"
    view.update(replace(said, blocks=(*said.blocks, replace(runs, began=False, approval_id="a"))))
    assert capsys.readouterr().out == ""
    view.update(said)
    assert "answering" in capsys.readouterr().out
    view.release()
    assert capsys.readouterr().out == "\r\x1b[K"
    view.update(said)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["chat", "数据分析会话" * 3])
def test_status_has_room_in_one_line(capsys, name):
    view = TextView(writer=writer(20))
    view.update(Transcript(session=name, model="a-model-with-a-long-name", turn_id="1"))
    status = STYLE.sub("", capsys.readouterr().out).strip("\r\x1b[K")
    assert cell_len(status) < 20
    assert status.startswith(name[:4])


def test_a_pipe_a_dumb_terminal_and_one_without_rich_show_plain_text(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert markdown_terminal() is None
    monkeypatch.setattr(sys, "stdout", Tty())
    monkeypatch.setenv("TERM", "xterm")
    assert markdown_terminal() is not None
    monkeypatch.setenv("TERM", "dumb")
    assert markdown_terminal() is None
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delitem(sys.modules, "sessionmagic.notebook.terminal.rich_terminal")
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert markdown_terminal() is None


@pytest.mark.parametrize(
    ("in_terminal", "view", "rendered"),
    [(True, "auto", True), (True, "text", False), (True, "static", False), (False, "auto", False)],
)
def test_prose_is_rendered_in_a_terminal_unless_the_user_wants_text(monkeypatch, in_terminal, view, rendered):
    monkeypatch.setattr(sys, "stdout", Tty())
    monkeypatch.setenv("TERM", "xterm-256color")
    context = SimpleNamespace(front_end=SimpleNamespace(in_terminal=in_terminal), settings=SimpleNamespace(view=view))
    text = prose_of(context)("a **bold** \x1b[2J")
    assert ("\x1b[1mbold\x1b[0m" in text, "**" in text) == (rendered, not rendered)
    assert "\x1b[2J" not in text
    assert "␛[2J" in text
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert prose_of(context)("a **bold**") == "a **bold**"


def test_what_a_tool_shows_to_a_model_is_not_rendered(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Tty())
    monkeypatch.setenv("TERM", "xterm-256color")
    context = SimpleNamespace(front_end=SimpleNamespace(in_terminal=True), settings=SimpleNamespace(view="auto"))
    run = contextvars.copy_context()
    run.run(current_turn.set, object())
    assert run.run(lambda: prose_of(context)("a **bold**")) == "a **bold**"


def test_only_the_words_of_the_model_are_rendered_and_no_table_of_a_structured_answer():
    said = Transcript(
        blocks=(TextBlock("*A*"), replace(CALL, **ENDED, content="*c*"), ValueBlock("", value="*v*", given=True)),
        warnings=("*w*",),
    )
    text = turn_text(said, "*p*", "*s*", str.upper)
    assert [text.count(each) for each in ("> *p*", "[*s*]", "*A*", "*c*", "*v*", "*w*")] == [1] * 6
    assert turn_text(replace(said, blocks=(TextBlock("*a*"),)), "*p*", "", str.upper).startswith("> *p*\n\n*A*\n\n⚠")
    assert answer_text(said, prose=str.swapcase) == "*A*\n\n*v*"
    assert answer_text(replace(said, blocks=said.blocks[:1]), prose=str.swapcase) == "*a*"
    assert answer_text(replace(said, blocks=said.blocks[1:2]), prose=str.swapcase) == "✓ run · 2.0 s\n*w*"


CALL = ToolBlock("1", "run", {"code": "a = 1"}, began=True)
ENDED = {"began": False, "printed": "", "lines": 0, "outcome": "success", "duration": 2.0}


def grown(*blocks):
    """The text of a call after each of these states, which only grows."""
    text, texts = CallText(), [""]
    for block in blocks:
        texts.append(text.grown(block))
        assert texts[-1].startswith(texts[-2])
    return texts[1:]


def test_short_call_is_written_when_it_has_ended():
    assert grown(CALL, replace(CALL, **ENDED, content="42")) == ["", "✓ run · 2.0 s\n    a = 1\n    42"]


def test_lines_are_written_as_a_call_prints_them_and_of_its_result_what_is_new():
    two = replace(CALL, printed="one\ntw", lines=1)
    texts = grown(
        two, two, replace(CALL, printed="one\ntwo\n", lines=2), replace(CALL, **ENDED, content="one\ntwo\n42")
    )
    begun = "… run\n    a = 1\n\n    one"
    assert texts == [begun, begun, f"{begun}\n    two", f"{begun}\n    two\n✓ run · 2.0 s\n    42"]


def test_of_many_lines_the_last_are_written_with_their_number():
    lines = [f"line {at}" for at in range(1_000)]
    printed = "…\n" + "\n".join(lines[-50:]) + "\n"
    (running, ended) = grown(
        replace(CALL, printed=printed, lines=1_000),
        replace(CALL, **ENDED, content="line 0\n[cut: 9,000 characters]\nline 999\nlast"),
    )
    assert running.splitlines()[3:5] == ["    [988 more lines printed]", "    line 988"]
    assert ended.removeprefix(running) == "\n✓ run · 2.0 s\n    last"


def test_call_that_is_silent_for_long_is_written_before_it_ends_and_its_arguments_once(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(calls.time, "monotonic", lambda: now[0])
    text = CallText()
    assert text.grown(replace(CALL, began=False, approval_id="a")) == ""
    assert text.grown(CALL) == ""
    now[0] += 1.0
    assert text.grown(CALL) == "… run"
    assert text.grown(replace(CALL, **ENDED, content="42")) == "… run\n✓ run · 2.0 s\n    42"
