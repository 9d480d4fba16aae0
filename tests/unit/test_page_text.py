"""The text of web pages."""

import pytest

from sessionmagic.tools.toolsets.page_text import page_text
from tests.effort import grows_linearly

PAGE = """<!doctype html><html><head><title>Rain &amp; sun</title><style>p { color: red }</style>
<script>if (a < b) { write("<p>no</p>") }</script></head>
<body><h1>In   May</h1><p>It rained
on <b>nine</b> days.<p>See <a href="/june?x=1&amp;y=2">June</a>, <a href="javascript:alert(1)">this</a>.
<ul><li>one<li>two</ul>
<pre>a  b
  c</pre><table><tr><td>x</td><td>1</td></tr></table>
<!-- <p>hidden</p> --><p>A code <code>x = 1</code>, 3 < 4.</body>"""


def test_text_has_no_tags_scripts_styles_and_comments():
    assert page_text(PAGE) == (
        "Rain & sun\n\nIn May\n\nIt rained on nine days.\n\nSee June, this.\n\none\ntwo\n\na  b\n  c\n\n\tx\t1\n\n"
        "A code x = 1, 3 < 4."
    )


def test_markdown_keeps_headings_lists_links_and_code():
    text = page_text(PAGE, base="https://rain.example/may/", markdown=True)
    assert "# In May" in text
    assert "See [June](https://rain.example/june?x=1&y=2), this." in text
    assert "- one\n- two" in text
    assert "```\na  b\n  c\n```\n\n | x | 1" in text
    assert "A code `x = 1`, 3 < 4." in text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        ("a<", "a<"),
        ("<p", "<p"),
        ("<p>a<script>b", "a"),
        ("<p>a<!-- b", "a"),
        ("a</b>c", "ac"),
        ("<P>A</P><SCRIPT>b</SCRIPT ><p>c", "A\n\nc"),
        ("&lt;b&gt;", "<b>"),
        ("<a href='x'>b", "b"),
        ("</pre></pre><p>a  b", "a b"),
    ],
)
def test_page_that_is_cut_or_badly_written_has_a_text_too(page, text):
    assert page_text(page) == text


PIECES = ["<", "<div>", "<!--", "<script>", "</script", "<a href='", '<a href="x">', "<a ", "&", "&#", "<pre>", "\n \n"]


@pytest.mark.once
@pytest.mark.parametrize("markdown", [True, False])
@pytest.mark.parametrize("piece", [*PIECES, "<svg><p>", "a<b>"])
def test_page_that_was_made_to_be_slow_is_not(piece, markdown):
    assert grows_linearly(lambda size: page_text(piece * (size // len(piece)), markdown=markdown), 25_000)


def test_link_with_an_address_that_is_none_is_text():
    assert page_text("<a href='http://[x'>a</a> <a href='http://a.example/(b) c'>d</a>", markdown=True) == (
        "a [d](http://a.example/bc)"
    )
