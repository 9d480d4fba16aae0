"""Where a path leads, and which globs an allow rule may match it with."""

import pytest

from sessionmagic.tools.call import Call
from sessionmagic.tools.paths import leads_into, stays
from sessionmagic.tools.rule_patterns import allows


@pytest.fixture(autouse=True)
def project(tmp_path_factory, monkeypatch):
    """The working directory, with a link `data/out` that leads out of it, and a link `in` to `data`."""
    project = tmp_path_factory.mktemp("project")
    (project / "data" / "deep").mkdir(parents=True)
    (project / "data" / "out").symlink_to(project.parent)
    (project / "in").symlink_to(project / "data")
    monkeypatch.chdir(project)
    return project


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("data/*", "data/a.csv", True),
        ("data/*", "data/deep/a.csv", True),
        ("data/*", "data/", True),
        ("data/*", "DATA/a.csv", True),
        ("data/*", "./data/./a.csv", True),
        ("data/*", "data/deep/../a.csv", True),
        ("data/*", "data/../secret", False),
        ("data/*", "data/deep/../../secret", False),
        ("data/*", "data/missing/../../secret", False),
        ("data/*", "data/out/secret", False),
        ("data/*", "in/a.csv", True),
        ("in/*", "in/a.csv", True),
        ("in/*", "in/../secret", False),
        ("data/*", "data/" + "x/../" * 2_000 + "a", True),
        ("data/*", "data/" + "x/../" * 2_000 + "../a", False),
        ("data/a.csv", "data/a.csv", True),
        ("data/../data/*", "data/a.csv", True),
        ("d?ta/*", "data/a.csv", True),
        ("d?ta/*", "data/../secret", False),
        ("*.csv", "data/a.csv", True),
        ("*/a.csv", "data/a.csv", True),
        ("*/a.csv", "data/../a.csv", False),
        ("*project*", "data/../a.csv", False),
        ("*", "data/../secret", True),
        ("*https://our.org/*", "https://our.org/a", True),
        ("/data/*", "/data/../etc/passwd", False),
        ("out*", "data/out", False),
        ("*", "a\0b", False),
        ("", "", True),
        # texts that are not paths
        ("https://our.org/*", "https://our.org/a/b", True),
        ("https://our.org/*", "https://our.org/", True),
        ("https://our.org/public/*", "https://our.org/public/../private", False),
        ("http*://our.org/*", "https://our.org/a", True),
        ("print(*)", "print(1 // 2)", True),
        ("x = a//b*", "x = a//b + 1", True),
        ("2026-*", "2026-01", True),
        ("[[]*", "[x", True),
    ],
)
def test_path_fits_a_glob_where_it_leads(pattern, text, fits):
    assert leads_into(pattern, text) is fits


def test_glob_for_absolute_paths_fits_relative_ones(project):
    assert leads_into(f"{project}/data/*", "data/a.csv")
    assert not leads_into(f"{project}/data/*", "data/../a.csv")
    assert leads_into("*/a.csv", f"{project}/a.csv")


def test_working_directory_may_have_wildcards_in_its_name(tmp_path, monkeypatch):
    (tmp_path / "[a]*").mkdir()
    monkeypatch.chdir(tmp_path / "[a]*")
    assert leads_into("data/*", "data/a")
    assert not leads_into("data/*", f"{tmp_path}/ab/data/a")


@pytest.mark.parametrize(
    ("value", "safe"),
    [
        (["data/a.csv", 1, None], True),
        ({"files": [{"path": "data/a.csv"}], "url": "https://our.org/a"}, True),
        ({"files": [{"path": "data/../secret"}]}, False),
        (["data/out/secret"], False),
        ([".."], False),
        (["and so on...", "1/2"], True),
    ],
)
def test_allow_rule_for_a_structure_holds_if_no_path_in_it_leads_elsewhere(value, safe):
    assert stays(value) is safe
    assert allows("read:files=*data*", Call("read", {"files": {"data": value}})) is safe
