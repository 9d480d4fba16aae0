"""Rendering a model's Markdown as HTML that is safe on the page.

The text is hostile until it has been cleaned: front ends run the scripts of a text/html output, fetch its images and
typeset its math. So it is rendered without raw HTML, and the result is reduced to a short list of tags.

Where nh3 is not installed, as in Pyodide, nothing can be cleaned, and everything is escaped text.

The page's MathJax typesets the math. It looks for delimiters in the text of each element, and never joins text across
elements. So every formula is put in a separate element, and so is each ``$`` and each backslash in ordinary text.
MathJax then finds only the formulas that were checked here.
"""

from __future__ import annotations

import functools
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from sessionmagic.notebook.page.colours import STYLES, coloured
from sessionmagic.notebook.page.wide import LIKE_TEXT, SCROLLS, TABLE, TABLE_BOX, scrolling_table
from sessionmagic.notebook.visible import escape, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import nh3
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_core import StateCore
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token
    from markdown_it.tree import SyntaxTreeNode

_LONGEST_TEXT = 1_000_000  # characters; a longer text is shown without markup
_LONGEST_MATH = 5_000  # characters; MathJax gives up at about the same length
_DEEPEST = 60  # nested blocks; the parser drops deeper ones
_SECONDS = 2.0  # to parse a text

_TAGS = "a blockquote br code div em h1 h2 h3 h4 h5 h6 hr li ol p pre s span strong table tbody td th thead tr ul"
_STYLED = {tag: {"style"} for tag in ("code", "div", "p", "span", "table", "td", "th")}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, **_STYLED}
_UNBROKEN = "white-space:pre"
_CODE_STYLE = f"{_UNBROKEN};{SCROLLS};{LIKE_TEXT};margin:0.7em 0"
_LONG_MATH = 40  # characters; a longer formula within a line may be longer than the line
_LONG_MATH_STYLE = "display:inline-block;max-width:100%;overflow-x:auto;overflow-y:hidden;vertical-align:middle"
_TABLE_BEGINS, _TABLE_ENDS = scrolling_table("|").split("|")
_LINK = re.compile(r"(?:https?://|mailto:)\S", re.IGNORECASE)


# The body of a formula ends at the next delimiter; between dollars, at code too. It is matched possessively, so a
# failed search reads the text up to there only once.
_INLINE_MATH = re.compile(
    rf"""\$\$ (?:[^\\$`]|\\.|\$(?!\$)){{1,{_LONGEST_MATH}}}+ \$\$
    |    (?<!\$) \$(?![\s$]) (?:[^\\$`]|\\.){{1,{_LONGEST_MATH}}}+ (?<!\s)\$(?!\d)
    |    \\\( (?:[^\\]|\\[^()]){{1,{_LONGEST_MATH}}}+ \\\)
    |    \\\[ (?:[^\\]|\\[^\[\]]){{1,{_LONGEST_MATH}}}+ \\\]""",
    re.DOTALL | re.VERBOSE,
)
_DISPLAY_MATH = re.compile(
    r"\$\$|\\\[|\\begin\{(?:(?:align|alignat|eqnarray|equation|flalign|gather|multline)\*?"
    r"|aligned|alignedat|array|cases|gathered|[bBpvV]?matrix|smallmatrix|split)\}"
)
# Commands that make links, ids, styles or tooltips, load extensions, or change what later formulas mean.
_REFUSED_MATH = re.compile(
    r"\\(?:(?:href|url|ref|eqref|style|class|cssId|require|unicode|includegraphics|data|mmlToken|bbox|texttip|mathtip"
    r"|toggle|csname|[egx]?def|let|global|(?:re)?new[a-z]+|providecommand)(?![A-Za-z])|html|Declare)"
)
_LABEL = re.compile(r"\\label\s*\{[^{}]*\}")  # MathJax refuses a label that it saw in an earlier frame

_ALIGNED = {f"text-align:{side}" for side in ("left", "center", "right")}
_ALLOWED_STYLES = {*STYLES.values(), *_ALIGNED, SCROLLS, TABLE_BOX, TABLE, _UNBROKEN, _CODE_STYLE, _LONG_MATH_STYLE}


def render_markdown(text: str) -> str:
    """Return hostile Markdown as a safe HTML fragment, or as escaped text in ``<pre>`` if it cannot be rendered.

    The Markdown is CommonMark with tables, strikethrough, syntax colours and math. Links may use http, https and
    mailto. The fragment loads nothing: an image becomes a link to the image.
    """
    if len(text) <= _LONGEST_TEXT:
        try:
            markdown, env = _markdown(), _env()
            tokens = markdown.parse(visible(text), env)
            if all(token.level < _DEEPEST - 1 for token in tokens):
                return _cleaner().clean(markdown.renderer.render(tokens, markdown.options, env))
        except Exception:  # noqa: BLE001, S110  an answer is shown even if it breaks the parser
            pass
    return f"<pre>{escape(text)}</pre>\n"


def render_code(code: str, language: str) -> str:
    """Return code with syntax colours, as safe HTML for a ``<pre>``."""
    if len(code) <= _LONGEST_TEXT:
        with suppress(Exception):  # code is shown even if it breaks the lexer
            return _cleaner().clean(coloured(visible(code), language))
    return escape(code)


def clean_html(html: str) -> str:
    """Return foreign HTML without anything that runs code or fetches a resource; where nh3 is missing, its source."""
    try:
        return _cleaner().clean(html)
    except ImportError:
        return f"<pre>{escape(html)}</pre>\n"


def parse_blocks(text: str) -> list[Token]:
    """Return the tokens of a text's Markdown blocks, without what is within a line; empty if it cannot be parsed."""
    tokens: list[Token] = []
    if len(text) <= _LONGEST_TEXT:
        try:
            markdown = _markdown()
            markdown.block.parse(visible(text), markdown, _env(), tokens)
        except Exception:  # noqa: BLE001  the text breaks the parser
            return []
    return tokens


def parse_tree(text: str) -> SyntaxTreeNode | None:
    """Return the syntax tree of a text, with links in place of its images; None if it cannot be parsed."""
    from markdown_it.tree import SyntaxTreeNode

    if len(text) <= _LONGEST_TEXT:
        with suppress(Exception):  # the text breaks the parser
            tokens = _markdown().parse(visible(text), _env())
            if all(token.level < _DEEPEST - 1 for token in tokens):
                return SyntaxTreeNode(tokens)
    return None


def is_refused_math(tex: str) -> bool:
    """Return whether a formula is shown as code."""
    return len(tex) > _LONGEST_MATH or _REFUSED_MATH.search(tex) is not None


def _env() -> dict[str, float]:
    return {"deadline": time.monotonic() + _SECONDS}


@functools.cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False, "maxNesting": _DEEPEST})
    markdown.enable(["table", "strikethrough"])
    markdown.validateLink = lambda url: _LINK.match(url) is not None  # type: ignore[method-assign]
    ends = ["paragraph", "reference", "blockquote", "list"]
    markdown.block.ruler.before("table", "display_math", _parse_display_math, {"alt": ends})
    markdown.block.ruler.before("table", "deadline", _stop_at_deadline, {"alt": ends})
    markdown.inline.ruler.before("text", "deadline", _stop_at_deadline)
    markdown.inline.ruler.before("escape", "math", _parse_inline_math)
    markdown.core.ruler.push("plain_links", _plain_links)
    markdown.core.ruler.push("left_cells", _left_cells)
    for name, show in {
        # The parser has turned entities into characters, so the text must be escaped again.
        "text": lambda token: re.sub(r"[$\\]", r"<span>\g<0></span>", escape(token.content)),
        "math": _show_inline_math,
        "display_math": lambda token: _show_math(token, f'<p style="{SCROLLS}">{{}}</p>\n', _block_of_code),
        "fence": lambda token: _block_of_code(coloured(token.content, token.info)),
        "code_block": lambda token: _block_of_code(escape(token.content)),
        "table_open": lambda _: _TABLE_BEGINS,
        "table_close": lambda _: _TABLE_ENDS,
    }.items():
        markdown.add_render_rule(name, _render_rule(show))
    return markdown


def _render_rule(show: Callable[[Token], str]) -> Callable[..., str]:
    return lambda _self, tokens, index, *_: show(tokens[index])


@functools.cache
def _cleaner() -> nh3.Cleaner:
    import nh3

    def keep(_tag: str, name: str, value: str) -> str | None:
        if name == "href":  # nh3 passes relative links, which would lead into the notebook's server
            return value if _LINK.match(value) else None
        return value if name != "style" or value in _ALLOWED_STYLES else None

    return nh3.Cleaner(
        tags=set(_TAGS.split()),
        attributes=_ATTRIBUTES,
        attribute_filter=keep,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}, "pre": {"style": _CODE_STYLE}},
    )


def _stop_at_deadline(state: StateBlock | StateInline, *_: object) -> bool:
    if time.monotonic() > state.env["deadline"]:
        raise TimeoutError
    return False


def _parse_inline_math(state: StateInline, silent: bool) -> bool:  # noqa: FBT001  markdown-it's signature
    match = _INLINE_MATH.match(state.src, state.pos, state.posMax) if state.src[state.pos] in "$\\" else None
    if match is None:
        return False
    if not silent:
        state.push("math", "", 0).content = match[0]
    state.pos = match.end()
    return True


def _parse_display_math(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    """Parse the lines from a delimiter to its partner as one formula.

    If a blank line or a fence comes before the partner, the lines are a paragraph. Whether they are one block depends
    only on the first line, so later text never changes earlier blocks.
    """
    first, last = state.bMarks[start] + state.tShift[start], state.eMarks[start]
    opening = _DISPLAY_MATH.match(state.src, first, last)
    if opening is None or state.is_code_block(start):
        return False
    closing = {"$$": "$$", "\\[": "\\]"}.get(opening[0], opening[0].replace("begin", "end"))
    before, closed, after = state.src[opening.end() : last].strip().partition(closing)
    if closed and (after or not before):
        return False
    if silent:
        return True
    line = start + 1
    while not closed and line < end and not state.isEmpty(line) and state.sCount[line] >= state.blkIndent:
        words = state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].rstrip()
        if words.startswith(("```", "~~~")):
            break
        closed = closing if words.endswith(closing) else ""
        line += 1
    state.line = line
    if not closed:
        state.push("paragraph_open", "p", 1).map = [start, line]
    token = state.push("display_math" if closed else "inline", "", 0)
    token.content = state.getLines(start, line, state.blkIndent, keepLastLF=False).strip()
    token.map, token.children = [start, line], []
    if not closed:
        state.push("paragraph_close", "p", -1)
    return True


def _block_of_code(html: str) -> str:
    # JupyterLab breaks the lines of code elements, whatever the element around them says.
    return f'<pre><code style="{_UNBROKEN}">{html}</code></pre>\n'


def _show_inline_math(token: Token) -> str:
    style = f' style="{_LONG_MATH_STYLE}"' if len(token.content) > _LONG_MATH else ""
    return _show_math(token, f"<span{style}>{{}}</span>", "<code>{}</code>".format)


def _show_math(token: Token, formula: str, code: Callable[[str], str]) -> str:
    tex = _LABEL.sub("", token.content)
    return code(escape(token.content)) if is_refused_math(tex) else formula.format(escape(tex))


def _plain_links(state: StateCore) -> None:
    """Give each link its address as a title, and turn images into links."""
    for token in state.tokens:
        if token.children:
            token.children = list(_without_images(token.children))


def _left_cells(state: StateCore) -> None:
    """Align table cells without an alignment to the left, because JupyterLab would align them to the right."""
    for token in state.tokens:
        if token.type in {"th_open", "td_open"} and not token.attrs:
            token.attrSet("style", "text-align:left")


def _without_images(tokens: list[Token]) -> Iterator[Token]:
    from markdown_it.token import Token

    links = 0
    for token in tokens:
        if token.type in {"link_open", "link_close"}:
            links += token.nesting
        if token.type == "link_open":
            token.attrs = {"href": token.attrs["href"], "title": token.attrs["href"]}
        if token.type != "image":
            yield token
            continue
        label = Token("text", "", 0, content=f"image: {_words(token)}".rstrip())
        if links:
            yield label
        else:
            yield Token("link_open", "a", 1, attrs={"href": token.attrs["src"], "title": token.attrs["src"]})
            yield label
            yield Token("link_close", "a", -1)


def _words(token: Token) -> str:
    if token.children:
        return "".join(_words(child) for child in token.children)
    return " " if token.type.endswith("break") else token.content
