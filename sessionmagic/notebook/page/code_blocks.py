"""The code blocks of an answer, as the page shows them."""

from __future__ import annotations

from dataclasses import dataclass

from sessionmagic.notebook.page.rendering import parse_blocks

PYTHON = frozenset({"python", "python3", "py", "ipython", "ipython3"})
MARK = "# %%"
"""Where one of several blocks in a cell begins. Editors that know cells in scripts begin a cell there."""


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A code block of an answer.

    Attributes:
        language: What the model says that it is, in small letters; empty if it says nothing.
        code: The code, with its control characters visible.
    """

    language: str
    code: str


def code_blocks(answer: str) -> list[CodeBlock]:
    """Return the code blocks of an answer in Markdown, in the order in which they stand. Empty ones do not count."""
    return [
        CodeBlock(token.info.strip().partition(" ")[0].lower(), code)
        for token in parse_blocks(answer)
        if token.type in {"fence", "code_block"} and (code := token.content.strip("\n")).strip()
    ]


def python_in(blocks: list[CodeBlock]) -> list[CodeBlock]:
    """Return the blocks of Python; if no block says that it is, those that do not say what they are."""
    return [each for each in blocks if each.language in PYTHON] or [each for each in blocks if not each.language]


def as_cell(blocks: list[CodeBlock]) -> str:
    """Return the code of one cell with these blocks."""
    marks = f"{MARK}\n" if len(blocks) > 1 else ""
    return "\n\n".join(f"{marks}{block.code}" for block in blocks)
