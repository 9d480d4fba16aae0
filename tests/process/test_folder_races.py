"""A directory that is exchanged for a link, again and again, while files in it are read and written."""

import ctypes
import os
import sys
import threading
import time
from collections import Counter

import pytest

from sessionmagic.exceptions import ToolError
from sessionmagic.tools.toolsets import directory as module
from sessionmagic.tools.toolsets.folder import Folder

pytestmark = [pytest.mark.once, pytest.mark.skipif(sys.platform != "linux", reason="two names are exchanged at once")]
TRIES = 2_000
SECONDS = 30.0
AT_FDCWD, EXCHANGE = -100, 2


def exchange(one, other):
    """Give two entries each other's name, in one step."""
    if ctypes.CDLL(None, use_errno=True).renameat2(AT_FDCWD, bytes(one), AT_FDCWD, bytes(other), EXCHANGE) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


@pytest.fixture
def work(tmp_path):
    """A folder with the directory ``data`` and a link to the outside, which can take each other's place."""
    work, outside = tmp_path / "work", tmp_path / "outside"
    for each, text in ((work / "data", "inside"), (outside, "secret")):
        each.mkdir(parents=True)
        (each / "a.txt").write_text(text)
    (work / "other").symlink_to(outside)
    try:
        for _ in range(2):
            exchange(work / "data", work / "other")
    except (OSError, AttributeError):
        pytest.skip("this file system cannot exchange names")
    return work


@pytest.fixture
def exchanged(work):
    """A folder in which ``data`` is a directory and a link to the outside by turns."""
    ends = threading.Event()

    def flip():
        while not ends.is_set():
            exchange(work / "data", work / "other")

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    flipping = threading.Thread(target=flip)
    flipping.start()
    yield work
    ends.set()
    flipping.join()
    sys.setswitchinterval(interval)


@pytest.fixture
def exchanged_once(work, monkeypatch):
    """A folder of a system that does not open files within a directory. ``data`` is exchanged when a file is opened."""
    system_opens = os.open

    def opens(path, *args, **options):
        exchange(work / "data", work / "other")
        return system_opens(path, *args, **options)

    monkeypatch.setattr(module, "WITHIN", False)
    monkeypatch.setattr(os, "open", opens)
    return work


def tried(act):
    """Count what comes of an act that is tried again and again, until it has succeeded and has been refused."""
    found, deadline = Counter(), time.monotonic() + SECONDS
    while time.monotonic() < deadline and (found.total() < TRIES or len(found) < 2):
        try:
            found[act()] += 1
        except ToolError:
            found["refused"] += 1
    return set(found)


def test_what_is_read_is_never_what_the_link_leads_to(exchanged):
    folder = Folder(exchanged)
    assert tried(lambda: folder.read("data/a.txt", 100)) == {b"inside", "refused"}


def test_nothing_is_written_where_the_link_leads(exchanged):
    folder = Folder(exchanged)

    def write():
        with folder.holder("data/a.txt") as (directory, name):
            directory.write(name, b"new")
        return "written"

    assert tried(write) == {"written", "refused"}
    assert contents_of(exchanged.parent / "outside") == {"a.txt": "secret"}


def test_other_systems_notice_after_a_file_is_opened_that_a_link_has_led_to_it(exchanged_once):
    with pytest.raises(ToolError, match="data is a link, and links are not followed"):
        Folder(exchanged_once).read("data/a.txt", 100)


def test_other_systems_leave_nothing_where_a_link_has_led_them(exchanged_once):
    with (
        Folder(exchanged_once).holder("data/a.txt") as (directory, name),
        pytest.raises(ToolError, match="data is a link, and links are not followed"),
    ):
        directory.write(name, b"new")
    assert contents_of(exchanged_once.parent / "outside") == {"a.txt": "secret"}


def contents_of(directory):
    return {each.name: each.read_text() for each in directory.iterdir()}
