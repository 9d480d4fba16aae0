"""The answer in a terminal, while that waits at its prompt."""

from dataclasses import replace

import pytest

from sessionmagic.conversation.transcript import MessageBlock, SummaryBlock, TextBlock, ToolBlock, Transcript
from sessionmagic.notebook.captions import LINE_LENGTH, VALUES_LENGTH, values_line
from sessionmagic.notebook.page.answer import answer_html
from sessionmagic.notebook.page.static import answer_outputs
from sessionmagic.notebook.terminal.text import turn_text
from sessionmagic.notebook.terminal.view import TextView
from sessionmagic.notebook.terminal.writers import Lines

CODE = "x = {" + ", ".join(f"'key {at}': {at}" for at in range(20)) + "}"
ANSWER = (
    f"First {'words ' * 40}\n\n"
    f"```python\n    {CODE}\n{CODE}\n```\n"
    f"| a | {'b ' * 60}|\n    {CODE}\nLast {'words ' * 40}end"
)


def shown(capsys, transcripts):
    """What the terminal shows of these, one after the other, and what it was written at a time."""
    view, pieces = TextView(writer=Lines()), []
    for transcript in transcripts:
        view.update(transcript)
        pieces.append(capsys.readouterr().out)
    view.finish(transcripts[-1], view.rendered(transcripts[-1]))
    return "".join(pieces), [*pieces, capsys.readouterr().out]


@pytest.mark.parametrize("size", [1, 7, 100, 5_000])
def test_only_whole_lines_are_written_and_code_is_not_broken(capsys, size):
    texts = [ANSWER[:end] for end in range(size, len(ANSWER) + size, size)]
    _, pieces = shown(capsys, [Transcript(blocks=(TextBlock(text),)) for text in texts])
    whole = "".join(pieces)
    assert all(not piece or piece.endswith("\n") for piece in pieces)
    assert whole.split("\n— ")[0].split() == ANSWER.split()
    assert {f"    {CODE}", CODE, f"| a | {'b ' * 60}|"} <= set(whole.splitlines())
    assert whole.splitlines().count(f"    {CODE}") == 2
    if size < LINE_LENGTH:
        assert all(
            len(line) <= LINE_LENGTH for line in whole.splitlines() if line.startswith(("First", "Last", "words"))
        )


def test_what_was_said_before_a_call_is_written_before_it_asks_and_its_arguments_once(capsys):
    said = TextBlock("Let me see.")
    asks = ToolBlock("1", "run", {"code": "a = 1\nb = 2"}, approval_id="id")
    done = ToolBlock("1", "run", {"code": "a = 1\nb = 2"}, "success", "42", 0.1)
    _, pieces = shown(
        capsys,
        [
            Transcript(blocks=(said,)),
            Transcript(blocks=(said, asks)),
            Transcript(blocks=(said, done)),
            Transcript(blocks=(said, done, MessageBlock("Go\non."), TextBlock("Done."))),
        ],
    )
    assert pieces[:3] == ["", "Let me see.\n", "\n✓ run · 0.1 s\n    42\n"]
    assert "".join(pieces[3:]).startswith("\n> Go\n> on.\n\nDone.\n— ")


def test_expressions_that_were_evaluated_are_listed_under_the_answer_in_one_line():
    transcript = Transcript(values=("df.head(20)", "len(x)", "a < b"), blocks=(TextBlock("Fine."),))
    assert values_line(transcript) == "values: df.head(20), len(x), a < b"
    assert "values: df.head(20), len(x), a < b\n— " in turn_text(transcript, "Look")
    assert "values: df.head(20), len(x), a &lt; b" in answer_html(transcript)
    assert "values" not in answer_html(Transcript()) + turn_text(Transcript(), "Look")
    many = values_line(Transcript(values=tuple(f"frame_{at}.describe()\n" for at in range(1_000))))
    assert many.endswith(" and 990 more")
    assert len(many) < VALUES_LENGTH + 30
    assert "\n" not in many


def test_summary_of_earlier_turns_is_shown_word_by_word_as_text():
    text = "Names:\n<script>alert(1)</script> **Ada**"
    transcript = Transcript(blocks=(SummaryBlock(text, "5", 1_884, 30), TextBlock("Hi")))
    line = "history compacted: about 1,884 → 30 tokens; summary in turn 5"
    assert turn_text(transcript, "and now?").startswith(
        f"> and now?\n\n{line}\n    Names:\n    <script>alert(1)</script> **Ada**\n\nHi"
    )
    html = answer_html(transcript)
    assert f">{line}</summary>" in html
    assert "Names:\n&lt;script&gt;alert(1)&lt;/script&gt; **Ada**</pre>" in html


def test_summary_that_is_the_answer_is_not_shown_twice():
    transcript = Transcript(blocks=(TextBlock("In short."), SummaryBlock("", "5", 1_884, 30)))
    line = "history compacted: about 1,884 → 30 tokens; earlier turns are kept"
    assert turn_text(transcript, "Summarize").startswith(f"> Summarize\n\nIn short.\n\n{line}\n")
    assert answer_html(transcript).count("In short.") == 1
    assert line in answer_html(transcript)


def test_terminal_says_that_an_answer_is_a_stored_one_and_a_saved_output_does_not():
    transcript = Transcript(session="chat", turn_id="1", remark="the stored answer of turn 1", status="completed")
    assert "\nthe stored answer of turn 1\n— chat · turn 1" in turn_text(transcript, "Hi")
    assert answer_outputs(transcript) == answer_outputs(replace(transcript, remark=""))
