"""Text that comes in pieces: how it was cut makes no difference."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionmagic.models.answer_text import Halves, Reasoned, ReasoningTags

pytestmark = pytest.mark.once

WORDS = st.sampled_from(["<think>", "</think>", "<", "think>", "</", "`", "a plan", " and ", "\n", "\n\n", "é"])
TEXTS = st.lists(WORDS, max_size=8).map("".join)


def cut(text, places):
    ends = sorted({place % (len(text) + 1) for place in places} | {len(text)})
    return [text[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def read(pieces):
    """Return the reasoning and the text of an answer in these pieces, as pydantic-ai takes them."""
    tags = ReasoningTags("<think>", "</think>")
    found = [piece for part in pieces for piece in tags.split(part)] + list(tags.rest())
    reasoning, text, inside = "", "", False
    for piece in found:
        if isinstance(piece, Reasoned):
            reasoning, text = reasoning + text, ""
        elif piece in ("<think>", "</think>"):
            assert inside == (piece == "</think>")
            inside = not inside
        elif inside:
            reasoning += piece
        else:
            text += piece
    return reasoning, text


@given(reasoning=TEXTS, text=TEXTS, places=st.lists(st.integers(0, 100), max_size=20))
def test_reasoning_between_tags_is_found_however_the_answer_is_cut(reasoning, text, places):
    reasoning = reasoning.replace("</think>", "")
    if "</think>" in reasoning:  # put together by taking others away
        return
    whole = f"<think>{reasoning}</think>{text}"
    assert read(cut(whole, places)) == (reasoning, text.lstrip())


@given(text=TEXTS, places=st.lists(st.integers(0, 100), max_size=20))
def test_text_without_a_closing_tag_is_kept_whole(text, places):
    text = "So " + text.replace("</think>", "")
    if "</think>" not in text:
        assert read(cut(text, places)) == ("", text)


@given(text=TEXTS, places=st.lists(st.integers(0, 100), max_size=20))
def test_nothing_but_a_tag_and_blanks_gets_lost(text, places):
    reasoning, answer = read(cut(f"So {text}", places))
    said = "".join(f"So {text}".split()).replace("</think>", "")
    assert "".join((reasoning + answer).split()).replace("</think>", "") == said


@given(text=st.text(max_size=20), places=st.lists(st.integers(0, 100), max_size=10))
def test_characters_are_whole_however_their_halves_are_cut(text, places):
    halves = text.encode("utf-16-le", "surrogatepass")
    units = "".join(chr(int.from_bytes(halves[at : at + 2], "little")) for at in range(0, len(halves), 2))
    joined = Halves()
    assert "".join(map(joined.join, cut(units, places))) + joined.rest() == text
