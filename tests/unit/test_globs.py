"""Regular expressions and globs that end in limited time."""

import pytest

from sessionmagic.exceptions import ToolError
from sessionmagic.tools.patterns import LONGEST, searcher
from sessionmagic.tools.toolsets.globs import fits
from tests.effort import grows_linearly


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("b+", "abbc", True),
        ("^b", "abbc", False),
        (r"\d{4}-\d\d", "in 2026-11", True),
        ("(?i)MAY", "may", True),
        ("é.", "café!", True),
        ("", "x", True),
    ],
)
def test_text_is_searched_for_a_pattern(pattern, text, found):
    assert searcher(pattern)(text) is found


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*a){20}$"])
def test_search_takes_no_longer_for_a_bad_pattern(pattern):
    search = searcher(pattern)
    assert grows_linearly(lambda size: search("a" * size + "!"), 6_000)


@pytest.mark.parametrize("pattern", ["(", "a{1000}{1000}{1000}", r"(a)\1", "x" * (LONGEST + 1)])
def test_pattern_that_cannot_be_used_is_refused_in_one_line(pattern):
    with pytest.raises(ToolError) as refused:
        searcher(pattern)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


# Each line: a glob, and paths that it fits and does not fit.
GLOBS = [
    ("*.py", "a.py src/a.py .py", "a.pyc a.py/b"),
    ("/*.py", "a.py", "src/a.py"),
    ("src/*.py", "src/a.py", "src/deep/a.py other/src/a.py"),
    ("src/**/*.py", "src/a.py src/deep/er/a.py", "a.py"),
    ("**/data", "data a/data a/b/data", "database a/data/b"),
    ("data/**", "data/a data/a/b", "data other/data/a"),
    ("data/", "data a/data", "data/a"),
    ("a?c", "abc", "ac a/c abbc"),
    ("a[bc]d", "abd acd", "add a/d"),
    ("a[!b]d", "acd", "abd a/d"),
    ("a[^b]d", "acd", "abd"),
    ("[a-c].txt", "b.txt", "d.txt"),
    ("[]a].txt", "].txt a.txt", "b.txt"),
    ("a[", "a[", "a"),
    (r"\*.py", "*.py", "a.py"),
    ("a+b(c).txt", "a+b(c).txt", "aab(c).txt"),
    ("./a.py", "a.py", "ba.py"),
    ("é*", "était", "e"),
    ("Data", "Data", "data"),
]


@pytest.mark.parametrize(("glob", "fitting", "others"), GLOBS)
def test_glob_fits_the_paths_that_it_fits_for_git(glob, fitting, others):
    fit = fits(glob)
    assert [path for path in (*fitting.split(), *others.split()) if fit(path)] == fitting.split()


def test_glob_with_many_stars_takes_no_longer():
    fit = fits("*a" * 100 + "*b")
    assert grows_linearly(lambda size: fit("a" * size), 100)


def test_glob_that_fits_nothing_is_an_error():
    with pytest.raises(ToolError, match="is not a valid pattern"):
        fits("[z-a]")
