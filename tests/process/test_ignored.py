"""What version control ignores is what Git says."""

import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionmagic.tools.toolsets.folder import Folder
from sessionmagic.tools.toolsets.ignored import Ignored
from sessionmagic.tools.toolsets.walking import entered, walk

pytestmark = [pytest.mark.once, pytest.mark.skipif(shutil.which("git") is None, reason="it compares with Git")]
NAMES = ["a", "b", "ab", "a.py", "data", "x y", "!a", "#b"]
names = st.sampled_from(NAMES)
files = st.lists(st.lists(names, min_size=1, max_size=3).map("/".join), min_size=1, max_size=8)
pieces = st.sampled_from(["a", "b", "*", "?", ".py", "data", "[ab]", "[!a]", "x y", "\\!", "\\#", "\\a"])
patterns = st.builds(
    lambda parts, begin, end: begin + "/".join(parts) + end,
    st.lists(st.one_of(st.just("**"), st.lists(pieces, min_size=1, max_size=2).map("".join)), min_size=1, max_size=3),
    st.sampled_from(["", "/", "!", "!/", "**/", "#"]),
    st.sampled_from(["", "/", "/**", "/*", "  "]),
)
ignores = st.lists(patterns, max_size=4).map("\n".join)


@given(found=files, top=ignores, deeper=ignores)
def test_files_that_are_shown_are_those_that_git_lists(found, top, deeper):
    place = Path(tempfile.mkdtemp())
    try:
        for path in found:
            with suppress(OSError):  # a file and a directory would have one name
                (place / path).parent.mkdir(parents=True, exist_ok=True)
                (place / path).touch()
        (place / ".gitignore").write_text(top)
        if (place / "a").is_dir():
            (place / "a" / ".gitignore").write_text(deeper)
        assert _shown(place) == _listed_by_git(place)
    finally:
        shutil.rmtree(place)


def _shown(place):
    with entered(Folder(place), ".", Ignored()) as (directory, ignored), walk(directory, ignored) as found:
        return sorted(each.path for each in found if each.entry.kind == "file")


def _listed_by_git(place):
    nothing = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "HOME": str(place)}
    git = [shutil.which("git"), "-C", str(place), "-c", "core.excludesFile=/dev/null"]
    subprocess.run([*git, "init", "-q", "--template="], check=True, env=nothing)
    listed = [*git, "ls-files", "--others", "--exclude-standard", "-z"]
    found = subprocess.run(listed, check=True, env=nothing, capture_output=True, text=True).stdout
    return sorted(filter(None, found.split("\0")))
