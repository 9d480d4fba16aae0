"""The answers of a grid on disk: each is there as soon as it has come in, whatever happens to process and disk."""

import errno
import os
import shutil
import stat
import subprocess
import sys

import pytest

from sessionmagic import SessionBusyError, SessionSchemaError, StoreError, Usage
from sessionmagic.comparing import grid_store
from sessionmagic.comparing.cells import CellAnswer
from sessionmagic.comparing.grid_store import FileGrids
from sessionmagic.comparing.plan import GridRequest, planned
from sessionmagic.testing import script
from tests.effort import grows_linearly
from tests.turns import manager_on

ANSWER = CellAnswer("It is\nfine.", "lab:m", Usage(input_tokens=7, output_tokens=3, cost=0.5), 1.25, "stop")


def key(number):
    return number.to_bytes(16, "big")


@pytest.fixture
def grids(home):
    return FileGrids(home)


@pytest.fixture
def path(home):
    return home / "grids" / "grid.jsonl"


def filled(grids, count=3):
    grid = grids.open("grid")
    for number in range(count):
        grid.add(key(number), ANSWER)
    grid.close()


def found(grids):
    grid = grids.open("grid")
    grid.close()
    return grid


def test_an_answer_is_read_as_it_was_stored(grids, path):
    filled(grids, 1)
    assert found(grids).answers == {key(0): ANSWER}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(each.suffix for each in path.parent.iterdir()) == [".claim", ".jsonl"]


def test_an_answer_is_in_the_file_before_the_next_request_begins(grids, path):
    grid = grids.open("grid")
    grid.add(key(0), ANSWER)
    assert path.read_bytes().count(b"\n") == 2
    grid.close()


@pytest.mark.parametrize("cut", [1, 2, 40, 100])
def test_a_line_that_was_torn_is_left_out_and_the_next_one_is_whole(grids, path, cut):
    filled(grids)
    path.write_bytes(path.read_bytes()[:-cut])
    lines = 3 if cut == 1 else 2  # only the end of the line is missing
    assert len(found(grids).answers) == lines
    grid = grids.open("grid")
    grid.add(key(9), ANSWER)
    grid.close()
    after = found(grids)
    assert (len(after.answers), after.warnings) == (lines + 1, [])


@pytest.mark.parametrize("damage", [b"x", b"\0" * 50, b'{"sum":"00000000","cell":{}}'])
def test_a_damaged_line_costs_one_answer_and_the_file_is_kept(grids, path, damage):
    filled(grids)
    lines = path.read_bytes().split(b"\n")
    lines[2] = damage
    content = b"\n".join(lines)
    path.write_bytes(content)
    grid = found(grids)
    assert sorted(grid.answers) == [key(0), key(2)]
    [aside] = path.parent.glob("*.damaged-*")
    assert aside.read_bytes() == content
    assert "1 damaged line" in grid.warnings[0]
    assert str(aside) in grid.warnings[0]
    again = found(grids)
    assert (len(again.answers), again.warnings) == (2, [])


def test_an_answer_that_comes_after_the_end_is_written_nowhere(grids, path, tmp_path):
    grid = grids.open("grid")
    grid.close()
    before = path.read_bytes()
    with (tmp_path / "other").open("wb") as other:  # it has the number of the closed file
        with pytest.raises(StoreError, match="the grid has ended"):
            grid.add(key(0), ANSWER)
        assert (tmp_path / "other").stat().st_size == other.tell() == 0
    assert path.read_bytes() == before


def test_other_ends_of_lines_and_empty_lines_cost_nothing(grids, path):
    filled(grids)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"\n")
    grid = grids.open("grid")
    assert (len(grid.answers), grid.warnings) == (3, [])
    grid.add(key(9), ANSWER)
    grid.close()
    after = found(grids)
    assert (len(after.answers), after.warnings) == (4, [])


def test_another_file_in_its_place_is_kept(grids, path):
    path.parent.mkdir(parents=True)
    path.write_text("my notes\n")
    assert "is not a grid" in found(grids).warnings[0]
    assert [each.read_text() for each in path.parent.glob("*.damaged-*")] == ["my notes\n"]


def test_a_file_of_a_newer_version_is_refused_and_left_unchanged(grids, path):
    filled(grids)
    content = path.read_bytes().replace(b'"form":1', b'"form":2')
    path.write_bytes(content)
    with pytest.raises(SessionSchemaError, match="newer version"):
        grids.open("grid")
    assert path.read_bytes() == content
    path.write_bytes(content.replace(b'"form":2', b'"form":1'))
    assert len(found(grids).answers) == 3  # it was not left claimed


HOLDS = """
import sys, time
from sessionmagic.comparing.grid_store import FileGrids
from pathlib import Path
grid = FileGrids(Path(sys.argv[1])).open("grid", "cell 3")
print("open", flush=True)
time.sleep(60)
"""


def test_a_grid_that_another_process_runs_is_busy_until_it_dies(grids, home):
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(home)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"open\n"
        with pytest.raises(SessionBusyError, match=rf"grid 'grid' is running: cell 3 of process {process.pid}"):
            grids.open("grid")
        grids.open("other").close()
        process.kill()
        process.wait()
        grids.open("grid").close()


class FullDisk:
    """Lets the writes to a grid fail after some, until the spare file has been deleted."""

    def __init__(self, monkeypatch, path, writes):
        self._write, self._spare, self._left = os.write, path.with_suffix(".spare"), writes
        monkeypatch.setattr(grid_store.os, "write", self)

    def __call__(self, file, content):
        if not content.startswith(b'{"sum"'):
            return self._write(file, content)
        self._left -= 1
        if self._left < 0 and self._spare.exists():
            self._write(file, content[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._write(file, content)


def test_a_full_disk_ends_the_run_and_every_answer_that_was_asked_is_kept(home, path, monkeypatch):
    model = script("a", "It is fine.")
    manager = manager_on(home)
    prompts = [f"{number}" for number in range(200)]
    with monkeypatch.context() as patch:
        FullDisk(patch, path, 30)
        with pytest.raises(StoreError, match="No space left on device; the answers that it has are kept"):
            manager.grid_sync(prompts, "a")
    asked = len(model.sent)
    assert 30 < asked <= 30 + 20
    results = manager.grid_sync(prompts, "a")
    assert (results.asked, len(results)) == (200 - asked, 200)


def test_a_disk_without_room_for_the_answers_is_refused_before_anything_is_asked(home, monkeypatch):
    model = script("a", "It is fine.")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(grid_store.os, "posix_fallocate", full)
    with pytest.raises(StoreError, match="No space left"):
        manager_on(home).grid_sync(["one"], "a")
    assert model.sent == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_home_that_cannot_be_written_is_one_line(home):
    home.mkdir(mode=0o500)
    with pytest.raises(StoreError, match="cannot claim"):
        FileGrids(home).open("grid")


def test_prompts_and_answers_of_a_megabyte_are_kept(home):
    answer = "word " * 200_000
    script("long", answer)
    manager = manager_on(home)
    prompt = "much " * 200_000
    assert manager.grid_sync([prompt], "long")[0].answer == answer
    again = manager.grid_sync([prompt], "long")
    assert (again.asked, again[0].answer, again[0].prompt) == (0, answer, prompt)


def test_finding_ten_thousand_answers_takes_its_share_of_time_only(home):
    script("a", "It is fine.")
    manager = manager_on(home)
    filled(FileGrids(home), 1)

    def find(size):
        prompts = [f"question {number}" for number in range(size)]
        path = home / "grids" / f"of-{size}.jsonl"
        if not path.exists():
            shutil.copy(home / "grids" / "grid.jsonl", path)
            plan = planned(GridRequest(prompts=prompts, models="a"), manager.models)
            with path.open("ab") as file:
                file.writelines(grid_store._line(cell.key, ANSWER) for cell in plan.cells)
        results = manager.grid_sync(prompts, "a", name=f"of-{size}")
        assert (results.asked, len(results)) == (0, size)

    assert grows_linearly(find, 1_250)
