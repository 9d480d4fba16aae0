"""The tools of the toolset `filesystem`."""

import asyncio
import json
import os
import threading

import pytest

from sessionmagic.exceptions import ToolError
from sessionmagic.tools.toolsets import file_reading, file_search
from sessionmagic.tools.toolsets.changes import COMPARED, difference, edited
from sessionmagic.tools.toolsets.file_reading import FileReading
from sessionmagic.tools.toolsets.file_writing import FileWriting
from sessionmagic.tools.toolsets.folder import Folder
from tests.effort import grows_linearly

PNG = b"\x89PNG\r\n\x1a\nrest"


class NothingAfterwards:
    """No commands run after a file was written."""

    def shown(self, _path):
        return []

    async def run(self, _path):
        return []


@pytest.fixture
def place(tmp_path):
    work = tmp_path / "work"
    (work / "src" / "deep").mkdir(parents=True)
    (work / "README.md").write_text("# Title\n\nSome words.\n")
    (work / "src" / "a.py").write_text("import os\nvalue = 1\n")
    (work / "src" / "deep" / "b.py").write_text("value = 2\n")
    return work


@pytest.fixture
def reads(place):
    return FileReading(Folder(place))


@pytest.fixture
def writes(place):
    return FileWriting(Folder(place), NothingAfterwards())


def result(call):
    return asyncio.run(call)


def test_text_is_read_as_it_is(reads):
    assert result(reads.read_file("README.md")) == "# Title\n\nSome words.\n"


def test_image_is_given_as_an_image_and_not_as_what_its_name_says(reads, place):
    (place / "a.PNG").write_bytes(PNG)
    (place / "b.png").write_text("no image")
    image = result(reads.read_file("a.PNG"))
    assert (image.data, image.media_type) == (PNG, "image/png")
    assert result(reads.read_file("b.png")) == "no image"


def test_image_that_no_model_takes_is_refused(reads, place, monkeypatch):
    monkeypatch.setattr(file_reading, "IMAGE_LIMIT", 5)
    (place / "a.png").write_bytes(PNG)
    with pytest.raises(ToolError, match=r"a\.png is an image of more than 5 bytes"):
        result(reads.read_file("a.png"))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a\0b", PNG])
def test_what_is_no_text_is_refused_with_its_size(reads, place, content):
    (place / "a.bin").write_bytes(content)
    with pytest.raises(ToolError, match=rf"a\.bin is not a text in UTF-8 \({len(content)} bytes\)"):
        result(reads.read_file("a.bin"))


def test_several_files_are_read_and_those_that_cannot_be_say_why(reads):
    found = result(reads.read_multiple_files(["README.md", "../x", "src/deep/b.py"]))
    assert found.startswith("=== README.md ===\n# Title")
    assert "=== ../x ===\n[../x leads out of a directory with ..;" in found
    assert found.endswith("=== src/deep/b.py ===\nvalue = 2\n")
    as_json = json.loads(result(reads.read_multiple_files(["src/deep/b.py"], json=True)))
    assert as_json == [{"path": "src/deep/b.py", "content": "value = 2\n"}]
    with pytest.raises(ToolError, match="101 files cannot be read at once"):
        result(reads.read_multiple_files(["README.md"] * 101))


def test_directory_is_listed_with_what_each_entry_is(reads, place):
    (place / "link").symlink_to("../elsewhere")
    os.mkfifo(place / "pipe")
    (place / "new\nline").write_text("")
    assert result(reads.list_directory()) == (
        "FILE README.md (21 bytes)\n"
        "LINK link -> ../elsewhere\n"
        "FILE new\ufffdline (0 bytes)\n"
        "     pipe (a device, a pipe or the like)\n"
        "DIR  src"
    )
    (place / "empty").mkdir()
    assert result(reads.list_directory("empty")) == "(empty)"


def test_tree_shows_what_is_below_a_directory(reads):
    assert result(reads.directory_tree()) == "README.md\nsrc/\n  a.py\n  deep/\n    b.py"
    assert result(reads.directory_tree("src/deep")) == "b.py"


def test_tree_of_links_that_lead_back_ends(reads, place):
    (place / "src" / "up").symlink_to("..")
    assert result(reads.directory_tree("src")) == "a.py\ndeep/\n  b.py\nup"


def test_long_listings_and_trees_are_cut_with_a_note(reads, place, monkeypatch):
    monkeypatch.setattr(file_reading, "LISTED", 2)
    (place / "z.txt").write_text("")
    assert result(reads.list_directory()).endswith("\n[1 more]")
    assert result(reads.directory_tree()).endswith("\n[more was left out; look at one of the directories]")


def test_what_version_control_ignores_is_not_shown_or_searched(place):
    (place / ".git").mkdir()
    (place / ".git" / "config").write_text("value")
    (place / ".gitignore").write_text("*.log\nbuild/\n")
    (place / "a.log").write_text("value")
    (place / "build").mkdir()
    (place / "build" / "c.py").write_text("value")
    (place / "src" / ".gitignore").write_text("deep/\n")
    reads = FileReading(Folder(place))
    assert result(reads.directory_tree()) == ".gitignore\nREADME.md\nsrc/\n  .gitignore\n  a.py"
    assert result(reads.search_files_content("value")) == "src/a.py:2: value = 1"
    assert result(reads.list_directory("src")) == "FILE .gitignore (6 bytes)\nFILE a.py (20 bytes)"
    assert result(reads.read_file("a.log")) == "value"  # what is named is read
    everything = FileReading(Folder(place), ignores_vcs=False)
    assert "a.log:1: value" in result(everything.search_files_content("value"))
    assert ".git/" in result(everything.directory_tree())


def test_gitignore_that_cannot_be_read_or_understood_hides_nothing(place):
    (place / ".gitignore").write_text("[z-a]\n# *.py\n\n/\n")
    (place / "src" / ".gitignore").mkdir()
    (place / "src" / "deep" / ".gitignore").write_bytes(b"*.py\n" * 50_000)
    assert "src/\n  .gitignore/\n  a.py\n  deep/\n    .gitignore\n    b.py" in result(
        FileReading(Folder(place)).directory_tree()
    )


def test_lines_are_found_by_a_text_or_a_regular_expression(reads):
    assert result(reads.search_files_content("value =")) == "src/a.py:2: value = 1\nsrc/deep/b.py:1: value = 2"
    assert result(reads.search_files_content(r"= [2-9]$", is_regex=True)) == "src/deep/b.py:1: value = 2"
    assert result(reads.search_files_content("[2-9]")) == "(no line matches)"
    assert result(reads.search_files_content("value", "src/deep")) == "src/deep/b.py:1: value = 2"
    assert result(reads.search_files_content("value", "src/a.py")) == "src/a.py:2: value = 1"


@pytest.mark.parametrize("excluded", ["deep", "deep/*", "**/b.py", "b.*"])
def test_search_leaves_out_what_is_excluded_below_its_directory(reads, excluded):
    found = result(reads.search_files_content("value", "src", excludePatterns=[excluded]))
    assert found == "src/a.py:2: value = 1"


def test_search_passes_over_what_is_no_text_or_too_large_and_cuts_long_lines(reads, place, monkeypatch):
    monkeypatch.setattr(file_search, "SIZE", 1_000)
    (place / "a.bin").write_bytes(b"value\0")
    (place / "b.bin").write_bytes(b"value\xff")
    (place / "long.txt").write_text("value" * 500)
    (place / "line.txt").write_text("value" * 100)
    found = result(reads.search_files_content("value"))
    assert "bin" not in found
    assert "long.txt" not in found
    assert f"line.txt:1: {('value' * 100)[:299]}…" in found


def test_search_shows_the_first_lines_and_says_that_there_are_more(reads, place, monkeypatch):
    monkeypatch.setattr(file_search, "LINES", 3)
    (place / "a.txt").write_text("value\n" * 10)
    found = result(reads.search_files_content("value"))
    assert found == "a.txt:1: value\na.txt:2: value\na.txt:3: value\n[only the first 3 lines are shown]"


def test_search_that_takes_too_long_says_what_it_has_found(reads, monkeypatch):
    monkeypatch.setattr(file_search, "SECONDS", 0.0)
    assert result(reads.search_files_content("nothing")).startswith("[stopped after 0 s;")


def test_search_stops_soon_after_its_call_was_cancelled(reads, monkeypatch):
    began, stopped = threading.Event(), threading.Event()

    def searching(*args):
        stop = args[-1]
        began.set()
        assert stop.wait(100)
        stopped.set()
        return ""

    monkeypatch.setattr(file_reading, "search", searching)

    async def cancelled():
        call = asyncio.ensure_future(reads.search_files_content("value"))
        await asyncio.to_thread(began.wait, 30)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(cancelled())
    assert stopped.wait(30)


def test_file_is_created_and_replaced(writes, place):
    assert result(writes.write_file("new/a.txt", "one")) == "wrote 3 characters"
    assert result(writes.write_file("new/a.txt", "zwö")) == "wrote 3 characters"
    assert (place / "new" / "a.txt").read_text(encoding="utf-8") == "zwö"


def test_edits_are_made_one_after_the_other_and_all_or_none(writes, place):
    edits = [{"oldText": "value = 1", "newText": "value = 3"}, {"oldText": "= 3", "newText": "= 4"}]
    assert result(writes.edit_file("src/a.py", edits)) == "made 2 edits"
    assert (place / "src" / "a.py").read_text() == "import os\nvalue = 4\n"
    with pytest.raises(ToolError, match="the oldText of edit 2 is not in the file, so nothing was changed"):
        result(writes.edit_file("src/a.py", [{"oldText": "os", "newText": "re"}, {"oldText": "no", "newText": ""}]))
    assert (place / "src" / "a.py").read_text() == "import os\nvalue = 4\n"


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ([], "no edits were given"),
        ([{"oldText": "", "newText": "x"}], "edit 1 has an empty oldText"),
        ([{"oldText": "a", "newText": "x"}], "is in the file 3 times, so nothing was changed; give more of the text"),
        ([{"oldText": "d", "newText": "x"}], "is not in the file"),
    ],
)
def test_edit_that_does_not_say_where_it_belongs_is_refused(edits, words):
    with pytest.raises(ToolError, match=words):
        edited("a b a c a", edits)


def test_edit_fits_the_ends_of_lines_that_the_file_has():
    assert edited("a\r\nb\r\nc\r\n", [{"oldText": "a\nb", "newText": "x\ny"}]) == "x\r\ny\r\nc\r\n"


def test_text_that_no_file_can_hold_is_refused(writes, place):
    with pytest.raises(ToolError, match="characters that no file can hold"):
        result(writes.write_file("a.txt", "\ud800"))
    assert not (place / "a.txt").exists()


def test_directories_are_created_and_removed_if_they_are_empty(writes, place):
    assert result(writes.create_directory(["x/y", "z"])) == "created x/y, z"
    assert result(writes.create_directory(["x/y"])) == "created x/y"
    assert result(writes.remove_directory(["x/y", "z"])) == "removed x/y, z"
    assert not (place / "x" / "y").exists()
    with pytest.raises(ToolError, match="src: directory not empty"):
        result(writes.remove_directory(["src"]))
    with pytest.raises(ToolError, match=r"README\.md: not a directory"):
        result(writes.remove_directory(["README.md"]))
    with pytest.raises(ToolError, match="are too many for one call"):
        result(writes.create_directory(["x"] * 101))


def test_preview_of_a_write_is_the_difference(writes, place):
    assert result(writes.write_preview("new/a.txt", "one\ntwo\n")) == "creates new/a.txt\n…\n+one\n+two"
    changed = result(writes.write_preview("README.md", "# Title\n\nOther words.\n"))
    assert changed == "replaces README.md\n…\n # Title\n \n-Some words.\n+Other words."
    same = result(writes.write_preview("README.md", "# Title\n\nSome words.\n"))
    assert same == "replaces README.md\n(changes nothing)"
    (place / "a.bin").write_bytes(b"\xff" * 9)
    assert result(writes.write_preview("a.bin", "x")) == "replaces a.bin\n(replaces 9 bytes that are no text)"


def test_preview_of_an_edit_is_the_difference(writes):
    edits = [{"oldText": "value = 1", "newText": "value = 3"}]
    assert result(writes.edit_preview("src/a.py", edits)) == ("changes src/a.py\n…\n import os\n-value = 1\n+value = 3")


@pytest.mark.parametrize("path", ["../a.txt", "link", "src", "/etc/passwd"])
def test_preview_refuses_what_the_call_would_refuse(writes, place, path):
    (place / "link").symlink_to("README.md")
    with pytest.raises(ToolError):
        result(writes.write_preview(path, "x"))
    with pytest.raises(ToolError):
        result(writes.edit_preview(path, [{"oldText": "a", "newText": "b"}]))


def test_difference_shows_no_key(monkeypatch):
    monkeypatch.setenv("LAB_API_KEY", "s3cr3t-of-the-lab")
    from sessionmagic.keys.known import KNOWN

    KNOWN.look()
    assert "s3cr3t" not in difference("key = s3cr3t-of-the-lab\n", "key = x\n")


def test_difference_of_large_texts_takes_no_longer():
    lines = [f"line {number}\n" for number in range(100_000)]

    def with_one_more(size):
        changed = [*lines[: size // 2], "new\n", *lines[size // 2 : size]]
        assert difference("".join(lines[:size]), "".join(changed)).count("\n") == 7

    assert grows_linearly(with_one_more, 12_500)
    other = "".join(f"other {number}\n" for number in range(COMPARED + 1))
    assert difference("".join(lines), other).startswith("-line 0\n-line 1\n")
    assert grows_linearly(lambda size: difference("".join(lines[:size]), other), 12_500)


def test_difference_of_the_ends_of_lines_is_said():
    assert difference("a\r\nb\r\n", "a\nb\n") == "(only the ends of lines differ)"
