"""The blocks of a running turn on the page, without a page."""

from sessionmagic.conversation.transcript import ReasoningBlock, SummaryBlock, TextBlock, Transcript
from sessionmagic.notebook.page.blocks import PAGE_LENGTH, Blocks
from sessionmagic.notebook.page.pieces import page


class Box:
    children = ()


def shown(box):
    return "".join(child.value for child in box.children)


def test_text_that_turns_out_to_be_reasoning_is_taken_away():
    box = Box()
    blocks = Blocks(box, None)
    plan = "A plan.\n\n" * PAGE_LENGTH
    blocks.show(Transcript(blocks=(TextBlock(plan),)))
    blocks.show(Transcript(blocks=(TextBlock(plan + plan),)))
    assert "A plan" in shown(box)
    blocks.show(Transcript(blocks=(ReasoningBlock(plan + plan),)))
    assert "A plan" not in shown(box)
    blocks.show(Transcript(blocks=(ReasoningBlock(plan), TextBlock("Hi"))))
    assert "Hi" in shown(box)
    blocks.show(Transcript(blocks=(ReasoningBlock(plan), TextBlock("Hi there"))))
    assert "Hi there" in shown(box)
    assert len(box.children) == 1


def test_summary_of_earlier_turns_is_shown_before_the_answer_as_plain_text():
    box = Box()
    blocks = Blocks(box, None)
    summary = SummaryBlock("<b>In</b> **short**", "5", 1_000, 20)
    blocks.show(Transcript(blocks=(summary,)))
    blocks.show(Transcript(blocks=(summary, TextBlock("Hi"))))
    assert "&lt;b&gt;In&lt;/b&gt; **short**" in shown(box)
    assert shown(box).index("short") < shown(box).index("Hi")


def test_text_whose_place_is_taken_by_other_text_is_shown_anew():
    box = Box()
    blocks = Blocks(box, None)
    blocks.show(Transcript(blocks=(TextBlock("A plan"),)))
    blocks.show(Transcript(blocks=(ReasoningBlock("A plan"), TextBlock("Hi"))))
    assert "Hi" in shown(box)
    assert "plan" not in shown(box)
    assert type(box.children[0]) is type(page(""))
