"""What a tool call prints, while it runs and in its result."""

from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionmagic.conversation.printed import CUT, LENGTH, with_printed
from sessionmagic.notebook.excerpts import last_lines
from sessionmagic.notebook.kernel.bounded import TEXT_LIMIT
from sessionmagic.notebook.kernel.outputs import PIECES, CapturedOutput
from tests.examples import examples

BAR = [f"\r{at:3}%|{'#' * at}" for at in range(0, 101, 5)]


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["step 1\n", "step 2"], "step 1\nstep 2"),
        (["epoch 1\n", *BAR, "\ndone\n"], f"epoch 1\n100%|{'#' * 100}\ndone\n"),
        (["10%\r", "20%\r", "30%\r"], "30%\r"),
        (["of Windows\r", "\nend"], "of Windows\nend"),
        (["\x1b[1", ";32mgreen\x1b", "[0m\x1b]0;title\x07 text"], "green text"),
        (["one\rtwo\n", "three"], "two\nthree"),
    ],
)
def test_progress_bars_are_their_last_state_and_colours_are_left_out(pieces, shown):
    assert list(accumulate(pieces, with_printed))[-1] == with_printed("", "".join(pieces)) == shown
    output = CapturedOutput()
    for piece in pieces:
        output.write(piece)
    assert output.text.rstrip("\r") == shown.strip("\r\n")
    assert output.taken() == "".join(pieces)
    assert output.taken() == ""


def test_only_the_end_of_much_is_kept_and_says_so():
    printed = ""
    for at in range(5_000):
        printed = with_printed(printed, f"line {at}\n")
    assert printed.startswith(CUT)
    assert printed.endswith("line 4998\nline 4999\n")
    assert len(printed) == len(CUT) + LENGTH
    assert last_lines(printed, 2) == "…\nline 4998\nline 4999"
    assert last_lines("a\nb\n", 2) == "a\nb"
    assert len(with_printed("", "x" * 1_000_000)) == len(CUT) + LENGTH


def test_what_is_not_taken_of_the_output_has_a_bounded_size():
    output = CapturedOutput()
    for at in range(2 * PIECES):
        output.write(f"{at} {'x' * 2 * LENGTH}\n")
    assert sum(map(len, output._untaken)) <= PIECES * LENGTH
    taken = output.taken()
    assert len(taken) == LENGTH
    assert taken.endswith("x\n")


def test_long_bar_leaves_room_for_what_is_printed_before_and_after_it():
    output = CapturedOutput()
    output.write("loading\n")
    for at in range(5_000):
        output.write(f"\r{at:4}|{'#' * 20}")
    assert output.text == f"loading\n4999|{'#' * 20}"
    output.write("\nloaded\n")
    assert output.text == f"loading\n4999|{'#' * 20}\nloaded"


@given(st.lists(st.builds(str.__mul__, st.text("ab \n", min_size=1, max_size=9), st.integers(0, 1_500)), max_size=6))
@settings(max_examples=examples(100))
def test_beginning_and_end_of_a_long_text_are_kept_however_it_is_written(pieces):
    output, text = CapturedOutput(), "".join(pieces)
    for piece in pieces:
        output.write(piece)
    shown, cut, rest = output.text.partition("[cut: ")
    assert len(shown) + len(rest) <= TEXT_LIMIT + 40
    assert text.strip("\n").startswith(shown.rstrip("\n"))
    assert not cut or text.rstrip("\n").endswith(rest.partition("]\n")[2])
    assert bool(cut) == (len(text) > TEXT_LIMIT)
