"""Where a growing Markdown text can be cut, so that a running answer is not rendered anew from its beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.notebook.page.rendering import parse_blocks

if TYPE_CHECKING:
    from markdown_it.token import Token

LISTS = ("bullet_list_open", "ordered_list_open")


def settled_length(text: str) -> int:
    """Return how many characters at the start of a growing answer no longer change when text is added.

    These are all top-level blocks except the last one. They can be rendered apart from the rest, except that reference
    definitions in one part have no effect in the other.
    """
    blocks = _top_level(parse_blocks(_whole_lines(text)))
    return _length(text, blocks[-1].map[0]) if len(blocks) > 1 and blocks[-1].map else 0


def finished_blocks(text: str) -> list[int]:
    """Return where each finished block at the start of a growing text ends.

    Besides those that `settled_length` counts, this is the last block if no later line can belong to it.
    """
    whole = _whole_lines(text)
    blocks = _top_level(parse_blocks(whole))
    ends = [_length(text, block.map[0]) for block in blocks[1:] if block.map]
    return [*ends, len(whole)] if blocks and _is_finished(blocks[-1], whole) else ends


def _is_finished(block: Token, text: str) -> bool:
    """Return whether no line after a text can belong to its last block. One after a list or a quotation can."""
    match block.type:
        case "heading_open" | "hr":
            return True
        case "fence":
            first, end = block.map or (0, 0)
            return block.content.count("\n") + 1 < end - first  # it has a line that closes it
        case "paragraph_open" | "table_open":
            return not text.removesuffix("\n").rpartition("\n")[2].strip()
        case _:
            return False


def items_length(text: str) -> int:
    """Return how many characters at the start of a growing list are its finished items; 0 for any other text."""
    return _items_length(text, parse_blocks(_whole_lines(text)))


def _items_length(text: str, tokens: list[Token]) -> int:
    blocks = _top_level(tokens)
    if len(blocks) != 1 or blocks[0].type not in LISTS or not blocks[0].map:
        return 0
    last = [token.map[0] for token in tokens if token.type == "list_item_open" and token.level == 1 and token.map][-1]
    return _length(text, last) if last > blocks[0].map[0] else 0


def cut_code(text: str) -> tuple[int, str]:
    """Return where to cut a growing text that is an open code block, as `cut_block` does; ``(0, "")`` for any other."""
    return cut_block(text, len(text))


def cut_block(text: str, longest: int) -> tuple[int, str]:
    """Return where to cut a growing text of which nothing is settled, and what to repeat after the cut.

    An open code block is cut after its last whole line, and the line that opens it is repeated. Other blocks are cut
    only when the text is longer than `longest`: a table after its last whole row, and its head is repeated; a list
    before its last item; and any other text after its last whole line, so that the rest begins a new block. Returns
    ``(0, "")`` when the text is not to be cut.
    """
    whole = _whole_lines(text)
    lines, tokens = whole.split("\n")[:-1], parse_blocks(whole)
    blocks = _top_level(tokens)
    kind, first = (blocks[0].type, blocks[0].map[0]) if len(blocks) == 1 and blocks[0].map else ("", 0)
    if kind == "fence" and lines[-1].strip().strip(blocks[0].markup[0]):
        return len(whole), lines[first] + "\n"
    if len(text) <= longest:
        return 0, ""
    if kind == "table_open":
        return len(whole), "".join(line + "\n" for line in lines[first : first + 2])
    return _items_length(text, tokens) or len(whole), ""


def _whole_lines(text: str) -> str:
    """Return the text without its last line, which can still become anything.

    For example, `#` is a heading, but `#x` belongs to the paragraph above it.
    """
    return text[: text.rfind("\n") + 1]


def _top_level(tokens: list[Token]) -> list[Token]:
    """Return the tokens that open the top-level blocks."""
    return [token for token in tokens if token.level == 0 and token.nesting >= 0 and token.map]


def _length(text: str, lines: int) -> int:
    """Return the length of the text's first lines."""
    return sum(len(line) + 1 for line in text.split("\n", lines)[:lines])
