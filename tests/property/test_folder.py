"""No path, whatever links and names a folder has, lets anything outside of the folder be opened."""

import os
import shutil
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionmagic.exceptions import ToolError
from sessionmagic.tools.toolsets import directory as module
from sessionmagic.tools.toolsets.file_reading import FileReading
from sessionmagic.tools.toolsets.folder import Folder
from sessionmagic.tools.toolsets.ignored import Ignored
from sessionmagic.tools.toolsets.walking import entered, walk

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(sys.platform != "linux", reason="what a descriptor leads to is not known there"),
]
NAMES = ["a", "b", "c", "d e", "é"]
HIDDEN = "the secret outside"

names = st.sampled_from(NAMES)
insides = st.lists(names, min_size=1, max_size=3).map("/".join)
parts = st.one_of(names, st.sampled_from(["..", ".", "", "outside", "work", "secret", "~", "..."]))
paths = st.one_of(
    st.lists(parts, max_size=6).map("/".join),
    st.lists(parts, max_size=4).map(lambda found: "/" + "/".join(found)),
    st.text(max_size=20),
)
climbing = st.lists(st.sampled_from(["..", "outside", "work", "secret", *NAMES]), min_size=1, max_size=5).map("/".join)
targets = st.one_of(climbing, insides, st.sampled_from(["{outside}", "{outside}/secret", "{outside}/new"]))
entries = st.lists(st.tuples(insides, st.one_of(st.none(), st.just("file"), targets)), max_size=8)


@contextmanager
def made(found):
    """Make a folder with these directories (None), files and links, beside a file that is not in it."""
    top = Path(os.path.realpath(tempfile.mkdtemp()))
    base = top.joinpath(*"123456789")  # no link of the test climbs out of this
    try:
        (base / "work").mkdir(parents=True)
        (base / "outside").mkdir()
        (base / "outside" / "secret").write_text(HIDDEN)
        for path, kind in found:
            _make(base, path, kind)
        yield base
    finally:
        shutil.rmtree(top)


def _make(base, path, kind):
    """Make an entry, but nothing that stands behind a link: that might be anywhere."""
    whole = base / "work" / path
    above = [each for each in whole.parents if each.is_relative_to(base / "work")]
    if os.path.lexists(whole) or any(each.is_symlink() or each.is_file() for each in above):
        return
    whole.parent.mkdir(parents=True, exist_ok=True)
    with suppress(ValueError, OSError):  # a target may be empty, or have a null character
        if kind is None:
            whole.mkdir()
        elif kind == "file":
            whole.write_text("inside")
        else:
            whole.symlink_to(kind.replace("{outside}", str(base / "outside")))


@contextmanager
def recording(*, within):
    """Record the real path of all that is opened, at the moment when it is."""
    real, found = os.open, []

    def recorded(*args, **options):
        descriptor = real(*args, **options)
        found.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        return descriptor

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WITHIN", within)
        patch.setattr(os, "open", recorded)
        yield found


def outside_of(base):
    kept = base / "outside"
    return {each.name: each.read_text() for each in kept.iterdir()}, sorted(each.name for each in base.iterdir())


@pytest.mark.parametrize("within", [True, False])
@given(found=entries, path=st.one_of(paths, insides), content=st.text(max_size=5))
def test_nothing_outside_is_opened_read_or_changed(within, found, path, content):
    with made(found) as base:
        before, folder, seen = outside_of(base), Folder(base / "work"), []
        with recording(within=within) as opened:
            for act in (_read, _listed, _walked, _written, _removed):
                with suppress(ToolError):
                    seen.append(act(folder, path, content.encode(errors="replace")))
        assert HIDDEN not in str(seen)
        assert outside_of(base) == before
        root = str(base / "work")
        assert [each for each in opened if each != root and not each.startswith(f"{root}/")] == []


def _read(folder, path, _):
    return folder.read(path, 1_000)


def _listed(folder, path, _):
    return FileReading(folder)._listing(path)


def _walked(folder, path, _):
    with entered(folder, path, Ignored()) as (directory, ignored), walk(directory, ignored) as found:
        return [each.directory.read(each.entry.name, 1_000) for each in found if each.entry.kind == "file"]


def _written(folder, path, content):
    with folder.holder(path, make=True) as (directory, name):
        directory.write(name, content)


def _removed(folder, path, _):
    with folder.holder(path) as (directory, name):
        directory.remove_directory(name)
