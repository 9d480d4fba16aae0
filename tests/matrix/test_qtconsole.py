"""qtconsole: a turn is text, and calls are approved at the prompt."""

from pathlib import Path

import pytest

from tests.matrix.conftest import GO, SETUP

pytestmark = pytest.mark.nightly
ENVIRONMENT = "qtconsole"


def test_turn_is_shown_once_as_text_after_its_call_was_approved(ran, env):
    env["QT_QPA_PLATFORM"] = "offscreen"
    everything = ran("python", Path(__file__).with_name("in_qtconsole.py"), SETUP, GO, "y", "lesson · turn 1")
    _, _, shown = everything.partition("Go.")
    assert shown.count("It is **42**.") == 1
    assert shown.count("    print(6 * 7)") == 1
    assert "running here" not in shown
