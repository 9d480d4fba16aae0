"""Paths within the folder that an agent's tools work in."""

import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from sessionmagic.exceptions import ToolError
from sessionmagic.tools.toolsets import directory as module
from sessionmagic.tools.toolsets import folder as folder_module
from sessionmagic.tools.toolsets.folder import LONGEST, Folder

LIMIT = 1_000


@pytest.fixture(params=["within", "by name"], autouse=True)
def system(request, monkeypatch):
    """Both ways in which files are opened: within an open directory, and by name, as on Windows."""
    if request.param == "by name":
        monkeypatch.setattr(module, "WITHIN", False)
    return request.param


@pytest.fixture
def place(tmp_path):
    """A folder beside a secret."""
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("secret")
    (tmp_path / "work" / "data").mkdir(parents=True)
    (tmp_path / "work" / "data" / "a.csv").write_text("x,y")
    return tmp_path / "work"


@pytest.fixture
def folder(place):
    return Folder(place, place.parent / "store")


def read(folder, path):
    return folder.read(path, LIMIT).decode()


def write(folder, path, text):
    with folder.holder(path, make=True) as (directory, name):
        directory.write(name, text.encode())


@pytest.mark.parametrize("path", ["data/a.csv", "./data/a.csv", "data//a.csv", "data/./a.csv"])
def test_file_in_the_folder_is_read(folder, path):
    assert read(folder, path) == "x,y"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("../secret.txt", "leads out of a directory with .."),
        ("data/../../secret.txt", "leads out of a directory with .."),
        ("data/../data/a.csv", "leads out of a directory with .."),
        ("/etc/passwd", "is an absolute path"),
        ("//etc/passwd", "is an absolute path"),
        ("\\\\host\\share", "is an absolute path"),
        ("data/a.csv\0.txt", "is not a valid path"),
        ("data/\ud800", "is not a valid path"),
        ("a" * (LONGEST + 1), "characters; use at most"),
        ("a" * 300, "name too long"),
        ("data", "data is a directory"),
        (".", ". is a directory"),
        ("", ". is a directory"),
        ("data/a.csv/b", "data/a.csv is not a directory"),
        ("data/b.csv", "data/b.csv does not exist"),
        ("b/c.csv", "b does not exist"),
        ("~/a.csv", "~ does not exist"),
        ("a\nb", "a\ufffdb does not exist"),
    ],
)
def test_other_path_is_refused_in_one_line(folder, path, words):
    with pytest.raises(ToolError) as refused:
        read(folder, path)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    "path", ["C:a.txt", "data/a.csv:stream", "CON", "data/nul.txt", "com1", "Lpt9.x", "data./a.csv", "a.csv ", "..\\x"]
)
def test_path_that_windows_takes_for_something_else_is_refused_there(folder, monkeypatch, path):
    monkeypatch.setattr(folder_module, "WINDOWS", True)
    with pytest.raises(ToolError, match=r"is not a path within the working directory|leads out of a directory"):
        read(folder, path)
    assert read(folder, "data\\a.csv") == "x,y"


LINKS = {
    "out": "../outside",
    "absolute": "{outside}",
    "within": "data",
    "circle": "circle",
    "file": "../secret.txt",
    "data/up": "..",
    "dangling": "nothing",
}


@pytest.fixture
def linked(place):
    for link, target in LINKS.items():
        (place / link).symlink_to(target.format(outside=place.parent / "outside"))


@pytest.mark.usefixtures("linked")
@pytest.mark.parametrize(
    "path",
    ["out/secret.txt", "absolute/secret.txt", "within/a.csv", "circle/a", "circle", "file", "data/up/data/a.csv"],
)
def test_no_link_is_followed_wherever_it_leads(folder, path):
    with pytest.raises(ToolError, match="is a link, and links are not followed"):
        read(folder, path)


@pytest.mark.usefixtures("linked")
@pytest.mark.parametrize("path", ["file", "dangling", "out/new.txt", "within/new.txt", "circle"])
def test_nothing_is_written_through_a_link(folder, place, path):
    with pytest.raises(ToolError, match="is a link, and links are not followed"):
        write(folder, path, "new")
    assert (place.parent / "secret.txt").read_text() == "secret"
    assert not (place / "nothing").exists()
    assert {each.name for each in (place.parent / "outside").iterdir()} == {"secret.txt"}


def test_folder_itself_may_be_reached_through_a_link(place):
    (place.parent / "link").symlink_to(place)
    assert read(Folder(place.parent / "link"), "data/a.csv") == "x,y"


def test_pipes_and_sockets_are_refused_without_waiting_for_them(folder, place):
    os.mkfifo(place / "pipe")

    def refused():
        with pytest.raises(ToolError, match="pipe is a device, a pipe or the like, and not a file"):
            read(folder, "pipe")

    reading = threading.Thread(target=refused, daemon=True)
    reading.start()
    reading.join(5)
    assert not reading.is_alive()
    with pytest.raises(ToolError, match="pipe is a device, a pipe or the like, and not a file"):
        write(folder, "pipe", "x")
    assert stat.S_ISFIFO((place / "pipe").stat().st_mode)


def test_file_that_is_too_large_is_refused_before_it_is_read(folder, place):
    with (place / "large").open("wb") as file:
        file.truncate(10**11)  # it takes no room
    with pytest.raises(ToolError, match=r"large has more than 1,000 bytes"):
        read(folder, "large")


def test_file_that_grows_while_it_is_read_is_refused(folder, place, monkeypatch):
    (place / "grows").write_bytes(b"x")
    monkeypatch.setattr(module, "_check_file", lambda *_: None)
    (place / "grows").write_bytes(b"x" * (LIMIT + 1))
    with pytest.raises(ToolError, match=r"grows has more than 1,000 bytes"):
        read(folder, "grows")


def test_directory_of_the_store_is_not_entered_by_whatever_name(folder, place):
    store = place.parent / "store"
    store.mkdir()
    (store / "session.json").write_text("{}")
    store.rename(place / "kept")
    inner = Folder(place, place / "kept")
    with pytest.raises(ToolError, match="kept is where sessions are stored, which no tool enters"):
        read(inner, "kept/session.json")
    with pytest.raises(ToolError, match="the working directory is where sessions are stored"):
        read(Folder(place / "kept", place / "kept"), "session.json")
    assert read(folder, "kept/session.json") == "{}"  # the same directory, which is no store here


def test_new_file_is_written_with_the_directories_on_the_way(folder, place):
    write(folder, "new/deep/a.txt", "content")
    assert (place / "new" / "deep" / "a.txt").read_text() == "content"
    assert stat.S_IMODE((place / "new" / "deep" / "a.txt").stat().st_mode) & 0o111 == 0


def test_file_that_is_replaced_keeps_its_permissions_and_leaves_no_draft(folder, place):
    (place / "run.sh").write_text("old")
    (place / "run.sh").chmod(0o750)
    write(folder, "run.sh", "new")
    assert (place / "run.sh").read_text() == "new"
    assert stat.S_IMODE((place / "run.sh").stat().st_mode) == 0o750
    assert {each.name for each in place.iterdir()} == {"data", "run.sh"}


def test_write_protected_file_is_left_alone(folder, place):
    (place / "kept").write_text("old")
    (place / "kept").chmod(0o444)
    with pytest.raises(ToolError, match="kept is write-protected"):
        write(folder, "kept", "new")
    assert (place / "kept").read_text() == "old"


def test_other_name_of_a_file_keeps_the_old_content(folder, place):
    (place / "one").hardlink_to(place.parent / "secret.txt")
    write(folder, "one", "new")
    assert (place.parent / "secret.txt").read_text() == "secret"


def test_write_that_fails_leaves_the_old_content_and_no_draft(folder, place, monkeypatch):
    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "replace", full)
    with pytest.raises(ToolError, match=r"a\.csv: no space left on device"):
        write(folder, "data/a.csv", "new")
    assert [each.name for each in (place / "data").iterdir()] == ["a.csv"]
    assert (place / "data" / "a.csv").read_text() == "x,y"


def test_entries_are_told_apart_and_no_link_is_followed_to_do_so(folder, place):
    (place / "link").symlink_to("data")
    os.mkfifo(place / "pipe")
    with folder.directory(".") as directory:
        assert [(each.name, each.kind) for each in directory.entries()] == [
            ("data", "directory"),
            ("link", "link"),
            ("pipe", "other"),
        ]
        assert directory.target("link") == "data"


@pytest.mark.skipif(sys.platform != "linux", reason="the open files are not listed there")
def test_every_directory_that_was_opened_is_closed(folder):
    def count():
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    read(folder, "data/a.csv")
    for path in ("data/b.csv", "data/a.csv/b", "data", "../x"):
        with pytest.raises(ToolError):
            read(folder, path)
    assert count() == before
