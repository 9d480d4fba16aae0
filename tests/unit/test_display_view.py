"""A running turn as outputs without widgets."""

import pytest

from sessionmagic.conversation.transcript import ReasoningBlock, TextBlock, ToolBlock, Transcript
from sessionmagic.notebook.output import Output
from sessionmagic.notebook.page import segments
from sessionmagic.notebook.page.display import DisplayView
from sessionmagic.notebook.page.slots import Slots

PARAGRAPH = "The mean of the rain in May is **41 mm**, which is less than in the years before, as `rain.csv` says. "
ANSWER = "\n\n".join(f"## Month {month}\n\n{PARAGRAPH * 3}\n\n- one\n- two" for month in range(24))
"""About 2,000 tokens."""
FIGURE = Output({"image/png": "aGk="})


def said(text, *before, **about):
    return Transcript(session="chat", turn_id="1", blocks=(*before, TextBlock(text)), **about)


def view_on(slots=None, displays=lambda _: {}):
    view = DisplayView("chat", "hello", displays, slots or Slots())
    view.open()
    return view


def stream(view, clock, text, hz=4, tokens_per_second=50):
    """Update a view as a turn does whose answer arrives at this speed."""
    step = 4 * tokens_per_second // hz
    for end in range(step, len(text) + step, step):
        clock.now += 1 / hz
        view.update(said(text[:end]))


def saved(view, text):
    """How many characters the saved outputs have in all their types."""
    return sum(len(content) for output in view.rendered(said(text)) for content in output.data.values())


@pytest.mark.parametrize("tokens_per_second", [50, 200])
def test_a_growing_answer_and_what_is_saved_are_at_most_three_times_that(page, clock, tokens_per_second):
    view = view_on()
    stream(view, clock, ANSWER, tokens_per_second=tokens_per_second)
    assert 8_000 < len(ANSWER) < 10_000
    assert saved(view, ANSWER) / 2 < page.sent < 2 * saved(view, ANSWER)
    assert "Month 23" in page.text
    assert len(page.shown) < 20


def test_an_answer_in_one_block_and_what_is_saved_are_at_most_three_times_that_too(page, clock):
    view = view_on()
    code = "```python\n" + "rain = rain.groupby('month').mean()\n" * 250
    stream(view, clock, code)
    assert page.sent < 2 * saved(view, code)
    assert page.text.count("groupby") > 150


def test_a_line_without_an_end_is_not_sent_again_as_a_whole(page, clock):
    view = view_on()
    for end in range(4_000, 200_000, 4_000):
        clock.now += segments.QUIET_SECONDS
        assert view.update(said("x" * end)) < 3 * segments.BLOCK_LENGTH
    assert len(page.text) < 2 * segments.BLOCK_LENGTH


def test_a_very_long_answer_has_fewer_outputs_than_jupyterlab_shows(page, clock):
    view = view_on()
    for end in range(8_000, 400_000, 8_000):
        clock.now += 1
        view.update(said((ANSWER * 50)[:end]))
    assert 20 < len(page.shown) < 50


@pytest.mark.usefixtures("page")
def test_an_answer_grows_four_times_a_second(clock):
    view = view_on()
    assert view.update(said("")) > 0
    for end in range(100, 5_000, 200):
        clock.now += 0.25
        assert view.update(said(ANSWER[:end])) > 0


@pytest.mark.usefixtures("page")
def test_an_answer_grows_at_once_after_long_reasoning(clock):
    view = view_on()
    for _ in range(200):
        clock.now += segments.STATUS_SECONDS
        view.update(Transcript(session="chat", turn_id="1", blocks=(ReasoningBlock("Hm."),)))
    for end in range(100, 2_000, 200):
        clock.now += 0.25
        assert view.update(said(ANSWER[:end], ReasoningBlock("Hm."))) > 0


def test_what_is_finished_is_sent_once(page, clock):
    view = view_on()
    stream(view, clock, ANSWER[:4_000])
    first, before = page.shown[0], page.sent
    view.update(said(ANSWER[:4_400]))
    clock.now += 1
    view.update(said(ANSWER[:4_800]))
    assert page.shown[0] is first
    assert page.sent - before < 3_000


def test_the_end_takes_the_place_of_all_that_was_shown(page, clock):
    view = view_on()
    stream(view, clock, ANSWER)
    ended = said(ANSWER, status="completed", model="hello")
    view.finish(ended, view.rendered(ended))
    answer, footer = page.shown
    assert answer["text/plain"].count("Month") == 24
    assert "hello" in footer["text/plain"]


def test_where_the_cell_cannot_be_cleared_the_surplus_has_no_words(page, clock):
    view = view_on(Slots(clears=False))
    stream(view, clock, ANSWER)
    before = len(page.shown)
    ended = said(ANSWER, status="completed")
    view.finish(ended, view.rendered(ended))
    assert len(page.shown) == before > 2
    assert {data["text/plain"] for data in page.shown[2:]} == {""}


def test_what_has_asked_the_user_is_gone_at_the_end(page):
    view = view_on()
    view.update(said("Shall I?"))
    page.add(Output({"text/plain": "yes or no? y"}))
    ended = said("I did.", status="completed")
    view.finish(ended, view.rendered(ended))
    answer, footer = page.shown
    assert answer["text/plain"] == "I did."
    assert "chat" in footer["text/plain"]


def test_a_question_is_shown_however_much_was_sent_before(page, clock):
    view = view_on()
    code = "```python\n" + "x = 1\n" * 120
    for _ in range(40):
        clock.now += 6
        view.update(said(code))
    held = page.sent
    asked = ToolBlock(call_id="1", tool="plot", args={}, approval_id="a")
    clock.now += 0.1
    view.update(said("", TextBlock(code), asked))
    assert "plot · waits for your answer" in page.text
    assert page.sent > held


def test_a_turn_whose_outputs_would_come_under_other_cells_has_one(page, clock):
    view = DisplayView("chat", "hello", lambda _: {}, Slots(clears=False), whole=True)
    view.open()
    stream(view, clock, ANSWER)
    assert len(page.shown) == 1
    assert "Month 10" in page.text
    ended = said(ANSWER, status="completed")
    view.finish(ended, view.rendered(ended))
    [whole] = page.shown
    assert "Month 23" in whole["text/html"]


def test_a_figure_follows_its_call_and_what_is_said_after_it(page):
    call = ToolBlock(call_id="1", tool="plot", args={})
    view = view_on(displays=lambda _: {"1": [FIGURE]})
    view.update(said("so", TextBlock("Look:"), call))
    assert len(page.shown) == 2
    done = ToolBlock(call_id="1", tool="plot", args={}, outcome="success", content="done")
    view.update(said("so it is", TextBlock("Look:"), done))
    before, figure, after, status = page.shown
    assert "Look:" in before["text/html"]
    assert "plot" in before["text/html"]
    assert figure == FIGURE.data
    assert "so it is" in after["text/html"]
    assert "chat" in status["text/html"]


def test_where_only_the_last_output_can_be_changed_the_status_is_part_of_it(page):
    view = view_on(Slots("the last in place"))
    view.update(said("One.\n\nTwo"))
    (both,) = page.shown
    assert "Two" in both["text/html"]
    assert "answering" in both["text/html"]


def test_the_elapsed_time_is_shown_now_and_then(page, clock):
    view = view_on()
    view.update(said("Hello"))
    sent = page.sent
    clock.now += 1
    assert view.update(said("Hello")) == 0
    assert page.sent == sent
    clock.now += segments.STATUS_SECONDS
    view.update(said("Hello"))
    assert "6 s" in page.text


def test_the_elapsed_time_goes_on_however_much_was_sent(page, clock):
    view = view_on()
    for _ in range(40):
        clock.now += segments.QUIET_SECONDS
        assert view.update(said("| a |" * 500)) > 0
    assert "400 s" in page.text


def test_a_page_that_gets_no_update_any_more_says_how_to_see_the_rest(page):
    view = view_on()
    view.update(Transcript(session="my chat", turn_id="1", blocks=(TextBlock("Hello"),)))
    assert "<code>%agent show &quot;my chat&quot;</code>" in page.text
    ended = said("Hello", status="completed")
    view.finish(ended, view.rendered(ended))
    assert "nothing new" not in page.text


def test_a_turn_that_did_not_start_says_so(page):
    view = view_on()
    view.discard()
    assert [data["text/plain"] for data in page.shown] == ["the turn did not start"]
