"""A turn as Markdown that is safe in any renderer, for exports and for builders of documents.

Two parsers never agree about what in a hostile text is code. So the text is parsed here, as for the page, and written
anew in a plain form on which parsers agree: every character that could be markup is escaped, code is fenced, and
nothing is raw HTML, an image or raw TeX. What comes out is parsed once more, and shown as code if anything is left.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.transcript import MessageBlock, QuestionBlock, TextBlock, ToolBlock, ValueBlock
from sessionmagic.conversation.value import as_text, table_of
from sessionmagic.notebook.captions import ending, question_line, tool_line
from sessionmagic.notebook.excerpts import cut
from sessionmagic.notebook.page.rendering import is_refused_math, parse_tree
from sessionmagic.notebook.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from markdown_it.tree import SyntaxTreeNode

    from sessionmagic.conversation.transcript import Block, Transcript

INDENT = "    "
"""Where the content of a list item begins. CommonMark, pandoc and mistune all nest by four columns."""
_MARKUP = re.compile(r"[\\`*_\[\]{}<>|$&~^]")
_LINE_START = re.compile(
    r"^(\s*)([-+=:%#]|\(?(?:\d{1,9}|[A-Za-z]|[ivxlcdm]{1,9}|[IVXLCDM]{1,9})[.)](?=\s|$))", re.MULTILINE
)
"""What begins a list, a heading, a rule, a definition or a title, in pandoc's Markdown too."""
_LANGUAGE = re.compile(r"[A-Za-z0-9+#.-]{1,20}")
_IN_ADDRESS = re.compile(r"[\s\\()<>`|$*_\[\]{}~^\"']")
_REFUSED_TEX = re.compile(
    r"\^\^|%|\\(?:(?:input|include|read|write|open|close|immediate|special|catcode|expandafter|lstinput|verbatiminput"
    r"|use|Require|directlua|lua|Shell|pdf|font|every|output|uppercase|lowercase|scantokens|begingroup|endinput"
    r"|loop|repeat|char)[A-Za-z]*|end\s*\{document\})"
)
"""Commands that read files or run programs when TeX makes a PDF, and what could hide them."""


def blocks_markdown(blocks: Iterable[Block]) -> str:
    """Return blocks of a turn as safe Markdown: texts, the outcome of each call, and messages, but no reasoning."""
    return "\n".join(text for text in map(_block_markdown, blocks) if text)


def turn_markdown(transcript: Transcript) -> str:
    """Return a whole turn as safe Markdown."""
    return (blocks_markdown(transcript.blocks) + ending_markdown(transcript)).strip("\n")


def user_text_markdown(text: str) -> str:
    """Return the user's text as typed, quoted."""
    return _prefixed(_fenced(visible(cut(text))), "> ")


def ending_markdown(transcript: Transcript) -> str:
    """Return the warnings, and how the turn ended if it did not complete, as safe Markdown."""
    lines = [*(f"⚠ {text}" for text in transcript.warnings), ending(transcript)]
    return "".join(f"\n{escaped(line)}\n" for line in lines if line)


def _block_markdown(block: Block) -> str:
    match block:
        case TextBlock():
            return safe_markdown(cut(block.text))
        case ValueBlock() if block.given:
            return value_markdown(block.value)
        case ToolBlock():
            return f"{escaped(tool_line(block))}\n"
        case MessageBlock():
            return user_text_markdown(block.text)
        case QuestionBlock():
            return f"{escaped(question_line(block))}\n"
        case _:
            return ""


def value_markdown(value: Any) -> str:
    """Return a structured answer as a table of safe Markdown, or as JSON if it is a single value."""
    table = table_of(value)
    if table is None or not table.rows:
        return _fenced(visible(cut(as_text(value))), "json")
    rows = [table.headings, *table.rows]
    lines = ["|".join(["", *(f" {_in_cell(cell)} " for cell in row), ""]) for row in rows]
    lines.insert(1, "|" + " --- |" * len(table.headings))
    return "\n".join([*lines, "", *(escaped(note) for note in table.notes)])


def _in_cell(text: str) -> str:
    return escaped(" ".join(text.split()))


def safe_markdown(text: str) -> str:
    """Return hostile Markdown as Markdown in which no renderer finds raw HTML, images, raw TeX or other links."""
    tree = parse_tree(text)
    if tree is not None:
        try:
            written = _blocks(tree.children)
        except RecursionError:
            written = ""
        if written and _is_safe(written):
            return written
    return _fenced(visible(text)) if text.strip() else ""


def _is_safe(written: str) -> bool:
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = markdown.parse(written)
    return not any(
        token.type in {"html_block", "html_inline", "image"} for top in tokens for token in (top, *(top.children or ()))
    )


def _blocks(nodes: Iterable[SyntaxTreeNode]) -> str:
    written, before = "", ""
    for node in nodes:
        # A blank line would make a tight list loose, but code without one before it is text to pandoc.
        follows = before == "hidden" and node.type in {"bullet_list", "ordered_list"}
        written += ("" if follows or not before else "\n") + _block(node)
        before = "hidden" if node.hidden else node.type
    return written


def _block(node: SyntaxTreeNode) -> str:
    """Return a block as Markdown that ends with a newline."""
    match node.type:
        case "paragraph":
            return f"{_started(_inline(node))}\n"
        case "heading":
            return f"{'#' * int(node.tag[1])} {_inline(node)}\n".replace("\\\n", " ")
        case "hr":
            return "***\n"
        case "fence" | "code_block":
            return _fenced(node.content.rstrip("\n"), node.info.strip().split(" ")[0] if node.type == "fence" else "")
        case "display_math":
            return _display_math(node.content)
        case "blockquote":
            return _prefixed(_blocks(node.children), "> ")
        case "bullet_list" | "ordered_list":
            return _list(node)
        case "table":
            return _table(node)
        case _:
            return f"{_started(_inline(node))}\n"


def _list(node: SyntaxTreeNode) -> str:
    first = int(node.attrs.get("start", 1))
    items = []
    for number, item in enumerate(node.children, first):
        mark = f"{number}. " if node.type == "ordered_list" else "- "
        mark = mark.ljust(len(INDENT))
        content = _prefixed(_blocks(item.children), " " * len(mark))
        items.append(mark + content[len(mark) :] if content else f"{mark.rstrip()}\n")
    loose = any(not child.hidden for item in node.children for child in item.children if child.type == "paragraph")
    return ("\n" if loose else "").join(items)


def _table(node: SyntaxTreeNode) -> str:
    rows = [row.children for section in node.children for row in section.children]
    lines = [f"| {' | '.join(map(_cell, row))} |\n" for row in rows]
    marks = {"left": ":--", "right": "--:", "center": ":-:"}
    aligned = [str(cell.attrs.get("style", "")).rpartition(":")[2] for cell in rows[0]]
    return "".join([lines[0], f"| {' | '.join(marks.get(side, '---') for side in aligned)} |\n", *lines[1:]])


def _cell(node: SyntaxTreeNode) -> str:
    """Return a cell on one line, in which no code or formula has a character that would end the cell."""
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(_inline(node).split("\n")))


def _display_math(tex: str) -> str:
    if _is_refused(tex):
        return _fenced(tex)
    if tex.startswith("\\["):
        tex = f"$${tex[2:-2]}$$"
    return f"{_spaced(tex)}\n"


def _inline(node: SyntaxTreeNode) -> str:
    """Return the content of a block, or of markup in a line."""
    if node.type == "inline" and not node.children and node.content:
        return escaped(node.content)
    return "".join(map(_inline_piece, node.children))


def _inline_piece(node: SyntaxTreeNode) -> str:
    match node.type:
        case "text":
            return escaped(node.content)
        case "softbreak":
            return "\n"
        case "hardbreak":
            return "\\\n"
        case "code_inline":
            return _code(node.content)
        case "strong":
            return f"**{_inline(node)}**"
        case "em":
            return f"*{_inline(node)}*"
        case "s":
            return f"~~{_inline(node)}~~"
        case "link":
            address = _IN_ADDRESS.sub(lambda match: f"%{ord(match[0]):02X}", str(node.attrs["href"]))
            return f"[{_inline(node)}]({address})"
        case "math":
            return _math(node.content)
        case _:
            return _inline(node)


def _math(tex: str) -> str:
    if _is_refused(tex):
        return _code(tex)
    body = tex[2:-2] if tex.startswith(("$$", "\\")) else tex[1:-1]
    mark = "$$" if tex.startswith(("$$", "\\[")) else "$"
    return f"{mark}{_spaced(' '.join(body.split()))}{mark}"


def _spaced(tex: str) -> str:
    """Return a formula with a space after each ``<``, which then begins no tag where formulas are not known."""
    return tex.replace("<", "< ")


def _is_refused(tex: str) -> bool:
    return is_refused_math(tex) or "`" in tex or "](" in tex or _REFUSED_TEX.search(tex) is not None


def _code(code: str) -> str:
    code = " ".join(code.split("\n"))
    runs = [len(run) for run in re.findall("`+", code)]
    marks = "`" * (max(runs, default=0) + 1)
    space = " " if code.startswith("`") or code.endswith("`") or not code.strip() else ""
    return f"{marks}{space}{code}{space}{marks}"


def _fenced(code: str, language: str = "") -> str:
    runs = [len(run) for run in re.findall("`+", code)]
    fence = "`" * max(3, max(runs, default=0) + 1)
    return f"{fence}{language if _LANGUAGE.fullmatch(language) else ''}\n{code}\n{fence}\n"


def escaped(text: str) -> str:
    """Return text in which no character is markup."""
    return _MARKUP.sub(r"\\\g<0>", visible(text))


def _started(text: str) -> str:
    """Return escaped text with no line that would begin a list, a heading, a definition or a rule."""
    return _LINE_START.sub(lambda match: f"{match[1]}{match[2][:-1]}\\{match[2][-1]}", text)


def _prefixed(text: str, prefix: str) -> str:
    return "".join(f"{prefix}{line}".rstrip() + "\n" for line in text.removesuffix("\n").split("\n")) if text else ""
