"""What the patterns of rules match, whatever the call."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionmagic.tools.call import Call
from sessionmagic.tools.rule_patterns import allows, matches
from tests.examples import examples

VALUES = st.sampled_from(["x", "x/y", "x/../..", "", 1, True, None, ["x/.."], {"a": "x"}])
SEGMENTS = st.sampled_from(["data", "deep", "out", "..", ".", "", "secret", "a.csv"])


@pytest.fixture(autouse=True, scope="module")
def _project(tmp_path_factory):
    """A working directory in which `data/out` leads out of `data`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project := tmp_path_factory.mktemp("project"))
        (project / "data" / "deep").mkdir(parents=True)
        (project / "data" / "out").symlink_to(project)
        yield


@settings(max_examples=examples(200))
@given(
    st.sampled_from(["f", "f:a=x*", "f:a=*/..", "*:a=1", "f:a=*:b=*"]),
    st.lists(st.dictionaries(st.sampled_from("ab"), VALUES), min_size=1, max_size=3),
)
def test_what_an_allow_rule_matches_a_deny_rule_would_match(pattern, forms):
    call = Call("f", forms[0], received=forms[1:])
    assert matches(pattern, call) or not allows(pattern, call)


@settings(max_examples=examples(200))
@given(st.lists(SEGMENTS, max_size=6).map("/".join))
def test_allowed_path_lies_in_the_allowed_directory(path):
    if allows("write:path=data/*", Call("write", {"path": path})):
        assert Path(os.path.realpath(path)).is_relative_to(Path("data").resolve())
