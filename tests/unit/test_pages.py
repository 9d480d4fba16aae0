"""What a growing answer costs: each frame reads a bounded part of it, away from the loop."""

import asyncio
import threading
from contextvars import ContextVar
from types import SimpleNamespace

import pytest

from sessionmagic.notebook.page import blocks, growing
from sessionmagic.notebook.page.blocks import TAIL_LENGTH, Pages
from sessionmagic.notebook.view import Rate, follow
from sessionmagic.testing import paced, script
from tests.turns import on_a_loop

CHUNK = 5_000


@pytest.fixture
def page(monkeypatch):
    """The texts of the pages that are added, and the lengths of all texts that are parsed or rendered for them."""
    page = SimpleNamespace(texts=[], read=[])
    parse = growing.parse_blocks

    def render(text):
        page.read.append(len(text))
        return text

    def counted(text):
        page.read.append(len(text))
        return parse(text)

    monkeypatch.setattr(growing, "parse_blocks", counted)
    monkeypatch.setattr(blocks, "text_html", render)
    monkeypatch.setattr(blocks, "framed", str)
    monkeypatch.setattr(blocks, "page", lambda html: SimpleNamespace(value=html))
    return page


def show(page, text):
    """Show the text in chunks, and return the characters that each frame read."""
    added, frames = [], []
    pages = Pages(added.append, None)
    for end in range(CHUNK, len(text) + CHUNK, CHUNK):
        page.read.clear()
        pages.show(text[:end])
        frames.append(sum(page.read))
    page.texts = [widget.value for widget in added]
    return frames


HEAD = "| number | words |\n|---|---|\n"
LINES = {
    "list": "- item {} of a list that goes on and on\n",
    "numbers": "{}. item of a list that goes on and on\n",
    "quote": "> line {} of a quote that goes on and on\n",
    "table": "| {} | row of a table that goes on |\n",
    "nested": "  - item {} of a list in an item\n",
    "paragraph": "line {} of a paragraph that goes on and on\n",
    "code": "print({})  # and so on and on\n",
}
START = {"table": HEAD, "nested": "- item\n", "code": "```python\n"}


@pytest.mark.parametrize("kind", LINES)
def test_frame_of_a_long_block_reads_no_more_than_its_end(page, kind):
    text = START.get(kind, "") + "".join(LINES[kind].format(at) for at in range(1, 1_001))
    frames = show(page, text)
    assert max(frames) < 5 * (TAIL_LENGTH + CHUNK)
    assert "".join(part.removeprefix(START.get(kind, "")) for part in page.texts) == text.removeprefix(
        START.get(kind, "")
    )


here = ContextVar("here", default="elsewhere")


@on_a_loop
async def test_turn_is_rendered_in_threads_that_belong_to_its_cell(manager):
    script("slow", paced(["word "] * 5, 0.02))
    frames = []

    class View:
        def update(self, transcript):
            frames.append((threading.get_ident(), here.get(), transcript.text))
            return 0

        def rendered(self, transcript):
            return transcript.text

        def finish(self, _transcript, rendered):
            frames.append((threading.get_ident(), here.get(), rendered))

    here.set("in the cell")
    turn = await manager.run("Hello", session="chat", model="slow")
    await follow(turn, View(), Rate(100))
    *updates, last = frames
    assert {where for _, where, _ in frames} == {"in the cell"}
    assert threading.get_ident() not in {thread for thread, *_ in updates}
    assert last[0] == threading.get_ident()
    assert "word word word word word" in last[2]


@on_a_loop
async def test_slow_view_leaves_the_loop_to_other_turns(manager):
    script("slow", paced(["word "] * 5, 0.02))
    go_on = threading.Event()

    class View:
        def update(self, _transcript):
            go_on.wait(10)
            return 0

        def rendered(self, transcript):
            return transcript.text

        def finish(self, _transcript, _rendered):
            pass

    turn = await manager.run("Hello", session="chat", model="slow")
    following = asyncio.ensure_future(follow(turn, View(), Rate(100)))
    other = await manager.run("Hello", session="other", model="calm")
    assert (await other.result()).text == "It is fine."
    await turn.result()
    assert not following.done()
    go_on.set()
    await following
