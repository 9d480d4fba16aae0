"""Whether the agents files of a folder can be loaded, file by file.

``SESSIONMAGIC_AGENT_FILES`` names a folder to read instead of our own files. ``pytest -s`` shows the report.
"""

import os
from pathlib import Path

import pytest

from sessionmagic.agents.agents_file import dumps, load, loads
from sessionmagic.agents.folder import CheckedFile, checked, report

OWN = Path(__file__).parent.parent / "agents_files"
FOLDER = Path(os.environ.get("SESSIONMAGIC_AGENT_FILES") or OWN / "understood")


def test_every_file_of_the_folder_loads_and_is_the_same_when_it_is_written(capsys):
    files = checked(FOLDER)
    with capsys.disabled():
        if "SESSIONMAGIC_AGENT_FILES" in os.environ:
            print(f"\n{report(files)}")
    assert files
    assert [str(each) for each in files if each.state == "refused"] == []
    for each in files:
        file = load(FOLDER / each.name)
        again = loads(dumps(file), where=file.where)
        assert (again, list(again.agents)) == (file, list(file.agents)), each.name


def test_report_says_of_each_file_whether_it_is_loaded_understood_or_refused(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.yaml").write_text("agents: {tutor: {}}")
    (tmp_path / "deep" / "b.yml").write_text("agents:\n  tutor: {skills: true}")
    (tmp_path / "c.yaml").write_text("agents: 3")
    (tmp_path / "notes.txt").write_text("not an agents file")
    assert checked(tmp_path) == [
        CheckedFile("a.yaml"),
        CheckedFile("c.yaml", "c.yaml:1: agents is 3; give a mapping of names to agents"),
        CheckedFile("deep/b.yml", warnings=(
            "deep/b.yml:2: agents.tutor.skills is not understood; ignored, and an error when an agent needs it",)),
    ]  # fmt: skip
    assert report(checked(tmp_path)).splitlines() == [
        "understood  a.yaml",
        "refused     c.yaml",
        "            c.yaml:1: agents is 3; give a mapping of names to agents",
        "loaded      deep/b.yml",
        "            deep/b.yml:2: agents.tutor.skills is not understood; ignored, and an error when an agent needs it",
        "3 files: 2 can be loaded, 1 without a warning",
    ]


@pytest.mark.parametrize("kind", ["understood", "warned", "refused"])
def test_our_own_files_are_what_their_folder_says(kind):
    states = {"understood": "understood", "warned": "loaded", "refused": "refused"}
    assert {each.state for each in checked(OWN / kind)} == {states[kind]}
