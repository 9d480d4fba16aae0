"""What a notebook keeps of a turn whose kernel ends before the turn does."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from sessionmagic.conversation.transcript import TextBlock, ToolBlock, Transcript
from sessionmagic.notebook.page import draft as module
from sessionmagic.notebook.page import static
from sessionmagic.notebook.page.draft import (
    BYTES_PER_SECOND,
    PAUSE_SECONDS,
    TEXT_BYTES_PER_SECOND,
    TEXT_SECONDS,
    Draft,
)
from sessionmagic.notebook.view import GuardedView


@pytest.fixture
def page(monkeypatch):
    """The time, and a function that lets it pass."""
    page = SimpleNamespace(now=100.0)
    monkeypatch.setattr(module.time, "monotonic", lambda: page.now)
    return page


def calls(returned, waiting=0, content="42"):
    blocks = [ToolBlock(str(at), "run", {}, "success", content) for at in range(returned)]
    blocks += [ToolBlock(f"w{at}", "run", {}, approval_id="id") for at in range(waiting)]
    return Transcript(session="chat", turn_id="1", blocks=(TextBlock("Let me see."), *blocks))


def text(words):
    return Transcript(session="chat", turn_id="1", blocks=(TextBlock(words),))


def test_short_turn_without_tools_has_no_draft(page):
    draft = Draft()
    page.now += TEXT_SECONDS - 0.1
    assert draft.update(text("words")) == 0
    assert draft.output is None


def test_turn_that_has_not_started_has_no_draft(page):
    draft = Draft()
    page.now += TEXT_SECONDS
    assert draft.update(Transcript()) == 0
    assert draft.output is None


def test_growing_text_is_drafted_every_few_seconds_and_only_if_it_has_grown(page):
    draft = Draft()
    sent = []
    for _ in range(2):
        page.now += TEXT_SECONDS
        sent.append(draft.update(text("words")))
    assert (sent[0] > 0, sent[1]) == (True, 0)
    assert "words" in draft.output.data["text/html"]
    page.now += TEXT_SECONDS - 0.1
    assert draft.update(text("words and more")) > 0
    assert draft.update(text("words and more and more")) == 0
    page.now += TEXT_SECONDS
    assert draft.update(text("words and more and more")) > 0
    assert "words and more and more\n\n[not finished" in draft.output.data["text/plain"]


def test_long_growing_text_is_drafted_at_a_bounded_rate(page):
    draft, sent, began = Draft(), 0, page.now
    for length in range(1_000):
        page.now += 0.5
        sent += draft.update(text("word " * 50 * length))
    assert 0 < sent < TEXT_BYTES_PER_SECOND * (page.now - began) + 5 * 50 * 1_000


def test_draft_hides_the_dead_widgets_above_it():
    draft = Draft()
    draft.update(calls(1))
    hiding, _, _ = draft.output.data["text/html"].partition("</style>")
    [mark] = hiding.split('"')[1:2]
    assert f".{mark})" in hiding
    assert "display: none" in hiding


def test_draft_has_what_was_done_and_says_that_it_is_none_of_the_end():
    draft = Draft()
    assert draft.update(calls(1)) > 0
    output = draft.output.data
    assert "✓ run" in output["text/html"]
    assert all("%agent show chat" in each and "Let me see." in each for each in output.values())
    [mark] = output["text/html"].split('"')[1:2]
    assert draft.hidden == f"<style>.{mark} {{ display: none }}</style>"


def test_drafts_come_at_a_bounded_rate_however_many_calls_return_while_one_waits(page):
    draft = Draft()
    sent = draft.update(calls(0, waiting=1))
    assert sent
    began = page.now
    kept = [draft.output]
    for returned in range(1, 50):
        sent += draft.update(calls(returned, waiting=1, content="x" * 20_000))
        kept.append(draft.output)
        page.now += 0.1
    assert sent < BYTES_PER_SECOND * (page.now - began) + 20_000 * 49
    assert len({id(output) for output in kept}) < 5


def test_question_is_drafted_at_once(page):
    draft = Draft()
    draft.update(calls(1))
    page.now += 0.1
    assert draft.update(calls(2)) == 0
    assert draft.update(calls(2, waiting=1)) > 0
    page.now += PAUSE_SECONDS
    assert draft.update(calls(3)) > 0


def test_draft_of_several_turns_is_made_when_one_has_grown_or_ended_or_waits(page):
    draft = Draft(lambda turns: (f"<p>{[turn.status for turn in turns]}</p>", "all"))
    assert draft.update(Transcript(), text("words")) == 0
    page.now += TEXT_SECONDS
    assert draft.update(Transcript(), text("words")) > 0
    ended = replace(text("words"), status="completed")
    assert draft.update(Transcript(), ended) == 0
    page.now += TEXT_SECONDS
    assert draft.update(Transcript(), ended) > 0
    assert draft.update(calls(0, waiting=1), ended) > 0
    assert draft.update(calls(0, waiting=1), calls(0, waiting=1)) == 0
    assert draft.output.data["text/plain"] == "all"


@pytest.mark.usefixtures("page")
def test_draft_that_is_wanted_at_once_is_made_if_there_is_anything_new():
    draft = Draft()
    assert draft.update(text("words"), at_once=True) > 0
    assert draft.update(text("words"), at_once=True) == 0
    assert draft.update(text("words and more"), at_once=True) > 0


def test_unwanted_draft_is_none():
    draft = Draft(wanted=False)
    assert draft.update(calls(1, waiting=1)) == 0
    assert draft.output is None


class Failing:
    """A view that fails where it is told to."""

    def __init__(self, *failing):
        self.failing = failing
        self.updates = self.finished = 0

    def update(self, _transcript):
        self.updates += 1
        if "update" in self.failing:
            raise ValueError
        return 1

    def rendered(self, transcript):
        if "rendered" in self.failing:
            raise ValueError
        return static.answer_outputs(transcript)

    def finish(self, _transcript, _outputs):
        self.finished += 1
        if "finish" in self.failing:
            raise ValueError


@pytest.mark.parametrize(
    ("failing", "answers"), [((), 0), (("update",), 0), (("finish",), 2), (("update", "rendered", "finish"), 2)]
)
def test_view_that_fails_gets_its_next_frame_and_the_answer_is_shown_without_it_when_its_last_fails(
    monkeypatch, failing, answers
):
    shown = []
    monkeypatch.setattr("sessionmagic.notebook.output.display", lambda data, **_: shown.append(data))
    view = GuardedView(failed := Failing(*failing))
    view.update(calls(1))
    view.update(calls(2))
    view.finish(calls(2), view.rendered(calls(2)))
    assert (failed.updates, failed.finished) == (2, 1)
    assert len(shown) == answers
