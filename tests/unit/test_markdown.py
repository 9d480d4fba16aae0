"""The Markdown of an answer, which other programs render."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sessionmagic.conversation.transcript import MessageBlock, ReasoningBlock, TextBlock, ToolBlock, Transcript
from sessionmagic.notebook.page.markdown import blocks_markdown, ending_markdown, safe_markdown

HOSTILE = [
    "<script>alert(1)</script>",
    "a <img src=x onerror=alert(1)> b",
    "![pixel](http://evil.test/p.png) ![pixel][p]\n\n[p]: http://evil.test/p.png",
    "[click](javascript:alert(1)) <javascript:alert(1)>",
    "- a\n\n      <script>\n- ```\n  <script>\n  ```\n\n<!-- \n\n- b",
    "> ```\n<script>",
    "`a` <b>`</b> `` ` <i> ``",
    "&lt;script&gt; &#60;script&#62; \\<script>",
    "$<script>$ $$\n<img src=x>\n$$ $![p](http://evil.test/p)$",
    "| a<b | `|<u>` |\n|---|---|\n| <x> | ![p](http://evil.test/p) |",
    "# <h1>\n\n<h1>\n===",
    "1. <p>\n2) <p>\n   text\n\n~~~ {=html}\n<script>\n~~~",
    "`<b>`{=html} <https://e.test/<script>>",
]
PIECES = st.sampled_from(
    [*"`*_<>[]()!\\$&#|~-+=:.1{} \n\t", "\n\n", "    ", "```", "~~~", "$$", "\\(", "\\)", "<script>", "<!--", "</b>",
     "![a](http://e.test/x)", "[a]: http://e.test/x", "[a]", "- ", "1. ", "> ", "| a | b |\n|---|---|\n", "&lt;"]
)  # fmt: skip


def tokens_of(markdown, renderer=None):
    renderer = renderer or MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return [token for top in renderer.parse(markdown) for token in (top, *(top.children or ()))]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_it_is_raw_html_an_image_or_another_kind_of_link(text):
    written = safe_markdown(text)
    assert not {"html_block", "html_inline", "image"} & {token.type for token in tokens_of(written)}
    links = [token.attrs["href"] for token in tokens_of(written) if token.type == "link_open"]
    assert all(link.startswith("http://evil.test/") for link in links)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_nothing_in_it_is_raw_html_or_an_image_whatever_the_text(text):
    for renderer in (MarkdownIt("commonmark", {"html": True}), MarkdownIt("gfm-like", {"linkify": False})):
        kinds = {token.type for token in tokens_of(safe_markdown(text), renderer)}
        assert not {"html_block", "html_inline", "image"} & kinds


@pytest.mark.parametrize(
    "text",
    [
        "Hello **world** and *you* and ~~them~~.\n",
        "Three *features*:\n\n-   one\n-   `two`\n    -   three\n",
        "1.  first\n\n    more\n\n2.  second\n",
        "```python\nif a < b and b > c:\n    pass\n```\n",
        "> quoted\n>\n> again\n",
        "| a | b |\n| :-- | --: |\n| 1 | `x` |\n",
        "The area is $a^2 < b$.\n\n$$\n\\int x\n$$\n".replace("< ", "<  "),
        "## Results\n\n***\n\n[the docs](https://docs.test/a)\n",
    ],
)
def test_ordinary_answers_stay_as_they_are(text):
    assert safe_markdown(text) == text


@pytest.mark.parametrize(
    "formula", ["\\input{/etc/passwd}", "\\write18{ls}", "^^5cinput{x}", "\\openin5=x", "\\href{javascript:x}{y}"]
)
def test_formula_that_reads_files_or_runs_programs_in_tex_is_code(formula):
    assert safe_markdown(f"So ${formula}$ it is") == f"So `${formula}$` it is\n"
    assert safe_markdown(f"$$\n{formula}\n$$") == f"```\n$$\n{formula}\n$$\n```\n"


def test_raw_tex_and_directives_of_documents_are_text():
    assert safe_markdown("\\input{/etc/passwd} {include}`x`") == "\\\\input\\{/etc/passwd\\} \\{include\\}`x`\n"
    assert safe_markdown("```{include} /etc/passwd\nx\n```") == "```\nx\n```\n"


def test_lines_that_other_parsers_read_as_a_list_or_a_title_are_text():
    assert safe_markdown("a\\. b\n1986\\. A year\n\\% title\n\\# no\n") == "a\\. b\n1986\\. A year\n\\% title\n\\# no\n"


def test_calls_and_messages_are_lines_and_reasoning_is_left_out():
    blocks = (
        ReasoningBlock("Hm."),
        TextBlock("Let me *see*."),
        ToolBlock("1", "run_python", {"code": "1"}, "success", "<b>42</b>", 0.5),
        MessageBlock("```\n<b>"),
        TextBlock("It is 42."),
    )
    assert blocks_markdown(blocks) == (
        "Let me *see*.\n\n✓ run\\_python · 0.5 s\n\n> ````\n> ```\n> <b>\n> ````\n\nIt is 42.\n"
    )


def test_warnings_and_the_end_of_a_turn_are_escaped():
    ended = ending_markdown(Transcript(status="failed", error="<b> $x$", warnings=("*no*",)))
    assert ended == "\n⚠ \\*no\\*\n\n■ failed: \\<b\\> \\$x\\$\n"


def test_text_that_cannot_be_parsed_is_code():
    assert safe_markdown("> " * 500 + "<b>").startswith("```\n> >")
    assert safe_markdown("") == ""
