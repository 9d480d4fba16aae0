"""The line that shows how far a grid is, and the name of a grid that is not given one."""

import shutil
from os import terminal_size
from types import SimpleNamespace

import pytest

from sessionmagic.comparing.estimate import Estimate
from sessionmagic.comparing.grid_store import check_grid_name
from sessionmagic.comparing.grids import _name_of_judge
from sessionmagic.comparing.progress import Progress
from sessionmagic.exceptions import UsageError
from sessionmagic.notebook.commands.grid import _name
from sessionmagic.notebook.grid_progress import GridProgress, progress_line
from sessionmagic.notebook.recognition import TERMINAL

ESTIMATE = Estimate(20, 100, 100, 0.5)


def progress(**changes):
    fields = {"done": 8, "failed": 1, "total": 20, "open": 3, "cost": 0.25, "estimate": ESTIMATE, "waiting": "busy"}
    return Progress(**{**fields, **changes})


def test_a_grid_that_runs_shows_its_cost_the_time_left_and_why_it_waits():
    line = progress_line(progress(), 8, 16.0)
    assert line.partition(" ")[2] == (
        "8 of 20 answered · 1 failed · 3 open · $0.2500 of about $0.5000 · about 22 s left · waiting: busy"
    )


def test_a_grid_that_has_ended_shows_no_open_requests_and_no_time():
    line = progress_line(progress(ended=True), 8, 16.0, "verdicts")
    assert line.partition(" ")[2] == "8 of 20 verdicts · 1 failed · $0.2500 of about $0.5000"


def test_a_line_in_a_terminal_is_never_wrapped(capsys, monkeypatch):
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: terminal_size((60, 20)))
    shown = GridProgress(TERMINAL)
    shown.show(progress(waiting="the server is busy " * 20))
    shown.show(progress(done=19, waiting=""))
    shown.end()
    lines = capsys.readouterr().out.removesuffix("\n").split("\r")
    assert max(map(len, lines)) == 59
    assert len(lines[1]) == len(lines[0])


@pytest.mark.parametrize(
    ("notebook", "out", "name"),
    [
        ("Überblick (2)", "größe", "Überblick-2-größe"),
        ("日本", "", "日本"),
        ("...", "", "grid"),
        ("", "", "grid"),
        ("", "_answers", "_answers"),
        ("a" * 100, "results", "a" * 45 + "-results"),
        ("日" * 100, "", "日" * 15),
    ],
)
def test_a_grid_is_named_after_its_notebook_whatever_its_letters(notebook, out, name):
    found = _name(SimpleNamespace(front_end=SimpleNamespace(notebook=notebook)), out)
    assert found == name
    check_grid_name(found)


def test_a_name_that_no_file_can_have_is_refused_and_that_of_a_judge_fits():
    with pytest.raises(UsageError, match="is too long for the name of a file, with 300 bytes; shorten it to 200"):
        check_grid_name("比" * 100)
    for name in ("a" * 100, "比" * 66, "a比" * 50):
        check_grid_name(name)
        check_grid_name(_name_of_judge(name))
