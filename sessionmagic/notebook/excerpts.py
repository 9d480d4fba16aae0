"""The parts of long texts that are shown."""

from __future__ import annotations

from sessionmagic.words import counted, shortened

TEXT_LIMIT = 400_000
"""Characters of a text that are shown. Front ends are slow with longer ones; the session stores the whole text."""
EXCERPT_WIDTH = 400
"""Characters of each line of an excerpt."""
PASSAGE_LENGTH = 300
"""Characters at either end of a long passage that two texts share."""


def cut(text: str) -> str:
    """Return the first `TEXT_LIMIT` characters of a text, with a note if there are more."""
    if len(text) <= TEXT_LIMIT:
        return text
    return f"{text[:TEXT_LIMIT]}\n\n[not shown here: {counted(len(text) - TEXT_LIMIT, 'more character')}]"


def in_both(text: str) -> str:
    """Return a passage that two texts share, without its middle if it is long."""
    left = len(text) - 2 * PASSAGE_LENGTH
    if left <= PASSAGE_LENGTH:
        return text
    return f"{text[:PASSAGE_LENGTH]}\n[… {counted(left, 'character')} …]\n{text[-PASSAGE_LENGTH:]}"


def last_lines(text: str, lines: int) -> str:
    """Return the last lines of a text, each cut to `EXCERPT_WIDTH`, below an ellipsis if there are more."""
    whole = text.rstrip().splitlines()
    shown = [shortened(line, EXCERPT_WIDTH) for line in whole[-lines:]]
    return "\n".join(["…", *shown] if len(whole) > lines else shown)


def excerpt(text: str, lines: int) -> str:
    """Return the first lines of a text, each cut to `EXCERPT_WIDTH`, and the number of lines left out."""
    whole = text.rstrip().splitlines()
    shown = [shortened(line, EXCERPT_WIDTH) for line in whole[:lines]]
    more = [f"… {counted(len(whole) - lines, 'more line')}"] if len(whole) > lines else []
    return "\n".join([*shown, *more])
