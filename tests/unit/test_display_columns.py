"""A running comparison as outputs without widgets."""

from itertools import zip_longest

import pytest

from sessionmagic.conversation.column import Column
from sessionmagic.conversation.transcript import ReasoningBlock, TextBlock, ToolBlock, Transcript
from sessionmagic.notebook.compared import ShownRun
from sessionmagic.notebook.output import Output
from sessionmagic.notebook.page import segments
from sessionmagic.notebook.page.comparison import comparison_output
from sessionmagic.notebook.page.display_columns import DisplayColumns
from sessionmagic.notebook.page.side_by_side import COLUMN
from sessionmagic.notebook.page.slots import Slots

PARAGRAPH = "The mean of the rain in May is **41 mm**, which is less than in the years before, as `rain.csv` says. "
LONG = "\n\n".join(f"## Month {month}\n\n{PARAGRAPH * 3}\n\n- one\n- two" for month in range(24))
SHORT = "\n\n".join(f"Year {year}: {PARAGRAPH}" for year in range(30))
CODE = "```python\n" + "rain = rain.groupby('month').mean()\n" * 150
FIGURE = Output({"image/png": "aGk="})


def said(text, *before, **about):
    return Transcript(session="chat", turn_id="1", model="m", blocks=(*before, TextBlock(text)), **about)


def opened(*names, note="", displays=lambda _: {}, slots=None, **about):
    """Return the open area of a comparison of these models, and a view for each of them."""
    area = DisplayColumns(note, displays, slots or Slots())
    columns = [Column("c", number, name, **about) for number, name in enumerate(names, start=1)]
    views = [area.view(column, None) for column in columns]
    area.open()
    return area, views


def stream(views, clock, *texts):
    """Update the views in turn, at 4 Hz in all, as answers arrive at 50 tokens a second."""
    step = len(views) * 4 * 50 // 4
    grown = [[text[:end] for end in range(step, len(text) + step, step)] for text in texts]
    for together in zip_longest(*grown):
        for view, text in zip(views, together, strict=True):
            clock.now += 0.25
            if text is not None:
                view.update(said(text))


def finished(views, *texts):
    ended = [said(text, status="completed") for text in texts]
    for view, transcript in zip(views, ended, strict=True):
        view.finish(transcript, view.rendered(transcript))
    runs = [ShownRun(view.column, turn, html=view.html) for view, turn in zip(views, ended, strict=True)]
    return comparison_output(runs, "chat", "")


def sections(data):
    return data["text/html"].split(f'<div style="{COLUMN}">')[1:]


@pytest.mark.usefixtures("page")
def test_columns_grow_as_often_after_long_reasoning(clock):
    def updates(*before, seconds):
        _, views = opened("a", "b")
        for view in views * int(seconds / segments.STATUS_SECONDS):
            clock.now += segments.STATUS_SECONDS
            view.update(Transcript(session="chat", turn_id="1", model="m", blocks=before))
        shown = 0
        for end in range(100, 3_000, 100):
            clock.now += 0.25
            shown += views[0].update(said(LONG[:end], *before)) > 0
        return shown

    assert updates(ReasoningBlock("Hm."), seconds=1_000) == updates(ReasoningBlock("Hm."), seconds=5) > 10


@pytest.mark.parametrize("texts", [(LONG, SHORT), (CODE, LONG, SHORT)], ids=["two", "three, one of them code"])
def test_growing_columns_and_what_is_saved_are_at_most_three_times_that(page, clock, texts):
    _, views = opened(*"abc"[: len(texts)])
    stream(views, clock, *texts)
    sent = page.sent
    assert "Month 18" in page.text  # what comes last may be held back until the end
    assert "Year 28" in page.text
    assert 4 < len(page.shown) < 25
    saved = sum(map(len, finished(views, *texts).data.values()))
    assert saved / 2 < sent < 2 * saved


def test_columns_stand_beside_each_other_and_what_is_finished_is_sent_once(page, clock):
    _, views = opened("a", "b")
    stream(views, clock, SHORT[:2_000], LONG[:2_000])
    first, *_, last = page.shown
    left, right = sections(first)
    assert "Year 0" in left
    assert "Month 0" in right
    stream(views, clock, SHORT, LONG)
    assert page.shown[0] is first
    assert page.text.count("Year 0:") == page.text.count("Month 0<") == 1
    left, right = sections(page.shown[-1])
    assert "1. a" in left
    assert "tokens" in left
    assert "2. b" in right
    assert last != page.shown[-1]


def test_a_column_that_has_ended_says_so_while_the_others_go_on(page, clock):
    _, views = opened("a", "b")
    stream(views, clock, PARAGRAPH, PARAGRAPH)
    views[0].rendered(said(PARAGRAPH, status="interrupted", seconds=2.0))
    clock.now += 6
    views[1].update(said(PARAGRAPH + "And"))
    left, right = sections(page.shown[-1])
    assert "interrupted · 2.0 s" in left
    assert "tokens · answering" in right
    views[1].discard()
    clock.now += 6
    views[0].update(said(PARAGRAPH))
    assert "stopped before it was asked" in sections(page.shown[-1])[1]


def test_the_end_takes_the_place_of_all_bands(page, clock):
    area, views = opened("a", "b", note="not offered: f")
    assert "not offered: f" in page.shown[0]["text/html"]
    stream(views, clock, LONG, SHORT)
    area.say("judge judges …")
    assert "judge judges …" in page.shown[-1]["text/html"]
    area.finish(finished(views, LONG, SHORT), "", None)
    [saved] = page.shown
    assert saved["text/plain"].count("Month") == 24


def test_repeats_of_a_column_stand_below_each_other(page):
    area = DisplayColumns("", lambda _: {}, Slots())
    places = [(number, name, repeat) for number, name in enumerate("ab", start=1) for repeat in (1, 2)]
    views = [area.view(Column("c", number, name, repeat=repeat), None) for number, name, repeat in places]
    area.open()
    for view, (_, name, repeat) in zip(views, places, strict=True):
        view.update(said(f"{name} says {repeat}"))
    left, right = sections(page.shown[-1])
    assert left.index("1. a<") < left.index("a says 1") < left.index("1. a · run 2") < left.index("a says 2")
    assert "b says 2" in right


def test_figure_of_a_call_is_in_the_column_of_its_call(page):
    _, views = opened("a", "b", displays=lambda transcript: {"1": [FIGURE]} if transcript.blocks else {})
    call = ToolBlock(call_id="1", tool="plot", args={}, outcome="success", content="done")
    views[1].update(said("it is", TextBlock("so"), call))
    left, right = sections(page.shown[-1])
    assert "aGk=" not in left
    assert right.index("so") < right.index("✓ plot") < right.index("aGk=") < right.index("it is")


def test_hidden_column_does_not_name_its_model(page):
    _, views = opened("secret-model", "b", hidden=True)
    views[0].update(said("Hello", warnings=("secret-model is new",)))
    assert "Hello" in page.text
    assert "secret-model" not in page.text


def test_a_comparison_that_does_not_start_says_why(page):
    area = DisplayColumns("", lambda _: {}, Slots())
    area.wait("waiting for the session …")
    assert page.shown[0]["text/plain"] == "waiting for the session …"
    area.discard("busy")
    assert [data["text/plain"] for data in page.shown] == ["busy"]


def test_a_question_of_a_column_is_shown_at_once(page, clock):
    _, views = opened("a", "b")
    for _ in range(40):
        clock.now += 6
        views[0].update(said("Hello"))
    clock.now += 0.1
    views[1].update(said("", ToolBlock(call_id="1", tool="plot", args={}, approval_id="x")))
    assert "plot · waits for your answer" in sections(page.shown[-1])[1]


def test_columns_whose_outputs_would_come_under_other_cells_have_one(page, clock):
    area = DisplayColumns("", lambda _: {}, Slots(clears=False), whole=True)
    views = [area.view(Column("c", number, name), None) for number, name in enumerate("ab", start=1)]
    area.open()
    stream(views, clock, LONG, SHORT)
    [data] = page.shown
    assert "Month 5" in data["text/html"]
