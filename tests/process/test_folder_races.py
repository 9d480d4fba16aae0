"""A directory that is exchanged for a link, again and again, while files in it are read and written."""

import ctypes
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
def exchanged(tmp_path):
    """A folder in which ``data`` is a directory and a link to the outside by turns."""
    work, outside = tmp_path / "work", tmp_path / "outside"
    for each, text in ((work / "data", "inside"), (outside, "secret")):
        each.mkdir(parents=True)
        (each / "a.txt").write_text(text)
    (work / "other").symlink_to(outside)
    try:
        exchange(work / "data", work / "other")
    except (OSError, AttributeError):
        pytest.skip("this file system cannot exchange names")
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


def tried(act):
    """Count what comes of an act that is tried again and again, until it has succeeded and has been refused."""
    found, deadline = Counter(), time.monotonic() + SECONDS
    while time.monotonic() < deadline and (found.total() < TRIES or len(found) < 2):
        try:
            found[act()] += 1
        except ToolError:
            found["refused"] += 1
    return set(found)


@pytest.mark.parametrize("within", [True, False])
def test_what_is_read_is_never_what_the_link_leads_to(exchanged, monkeypatch, within):
    monkeypatch.setattr(module, "WITHIN", within)
    folder = Folder(exchanged)
    assert tried(lambda: folder.read("data/a.txt", 100)) == {b"inside", "refused"}


def test_nothing_is_written_where_the_link_leads(exchanged):
    folder = Folder(exchanged)

    def write():
        with folder.holder("data/a.txt") as (directory, name):
            directory.write(name, b"new")
        return "written"

    assert tried(write) == {"written", "refused"}
    outside = exchanged.parent / "outside"
    assert [(each.name, each.read_text()) for each in outside.iterdir()] == [("a.txt", "secret")]
