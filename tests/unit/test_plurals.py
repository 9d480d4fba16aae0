"""One thing is named in the singular, wherever a number stands before its name."""

import pytest

from sessionmagic.conversation.transcript import SummaryBlock, TextBlock, ToolBlock, Transcript
from sessionmagic.conversation.usage import Usage
from sessionmagic.notebook.captions import footer, status_line, summary_line, tool_line
from sessionmagic.notebook.excerpts import TEXT_LIMIT, cut, excerpt
from sessionmagic.notebook.figures import money
from sessionmagic.notebook.page.listing import Listing

pytestmark = pytest.mark.once


@pytest.mark.parametrize(("tokens", "words"), [(1, "3 → 1 token"), (2, "3 → 2 tokens"), (0, "3 → 0 tokens")])
def test_tokens_of_a_footer(tokens, words):
    used = Usage(input_tokens=3, output_tokens=tokens, cost=1.0)
    assert f" · {words} · " in f"{footer(Transcript(session='chat', usage=used))} "


@pytest.mark.parametrize(("text", "words"), [("abcd", "~1 token"), ("abcdefgh", "~2 tokens")])
def test_tokens_of_a_running_turn(text, words):
    assert words in status_line(Transcript(blocks=(TextBlock(text),)), "chat", "m", 0.0).split(" · ")


def test_lines_about_one_thing():
    assert excerpt("a\nb", 1).endswith("… 1 more line")
    assert excerpt("a\nb\nc", 1).endswith("… 2 more lines")
    assert cut("x" * (TEXT_LIMIT + 1)).endswith("[not shown here: 1 more character]")
    assert tool_line(ToolBlock("c", "look", {}, draft="{")) == "… look · 1 character"
    assert "→ 1 token;" in summary_line(SummaryBlock("s", "2", 10, 1))
    assert money(Usage(unpriced_requests=1, cost=1.0)) == "at least $1.0000; 1 request without a price"
    assert repr(Listing([1, 2], {"n": str}, shown=1)).endswith("not shown: 1 more")
