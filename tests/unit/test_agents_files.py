"""The files of `tests/agents_files`: what each says, what is not understood, and why the others are refused."""

from dataclasses import fields
from pathlib import Path

import pytest

from sessionmagic.agents.agents_file import dumps, load, loads
from sessionmagic.agents.contents import AgentsFile
from sessionmagic.agents.named_models import NamedModel, NamedProvider
from sessionmagic.agents.records import parts_of
from sessionmagic.agents.toolsets import TYPES, Toolset
from sessionmagic.exceptions import AgentsFileError

FILES = Path(__file__).parent.parent / "agents_files"
UNDERSTOOD = sorted((FILES / "understood").glob("*.y*ml"))
WARNED = sorted((FILES / "warned").iterdir())
REFUSED = sorted((FILES / "refused").iterdir())


def _expected(table, path):
    """Return what a table expects of a file: its lines that begin with the file's name."""
    lines = (FILES / table).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith(f"{path.name}:")]


def _file(name):
    return load(next(FILES.glob(f"*/{name}.y*ml")))


@pytest.mark.parametrize("path", UNDERSTOOD, ids=lambda path: path.stem)
def test_understood_file_loads_without_a_warning_and_the_same_again(path):
    file = load(path, strict=True)
    assert file.warnings == ()
    again = loads(dumps(file), where=str(path), strict=True)
    assert (again, list(again.agents)) == (file, list(file.agents))


@pytest.mark.parametrize("path", WARNED, ids=lambda path: path.stem)
def test_what_is_not_understood_is_named_with_its_line_and_kept(path):
    file = load(path)
    found = [str(each).replace(str(path), path.name) for each in file.warnings]
    assert found == _expected("warnings.txt", path)
    again = loads(dumps(file), where=str(path))
    assert again == file
    assert {each.text for each in again.warnings} == {each.text for each in file.warnings}


@pytest.mark.parametrize("path", WARNED, ids=lambda path: path.stem)
def test_strict_makes_the_first_warning_an_error(path):
    with pytest.raises(AgentsFileError) as caught:
        load(path, strict=True)
    assert str(caught.value) in map(str, load(path).warnings)


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.stem)
def test_refused_file_is_an_error_of_one_line_with_the_place(path):
    with pytest.raises(AgentsFileError) as caught:
        load(path)
    assert [str(caught.value).replace(str(path), path.name)] == _expected("errors.txt", path)


def test_the_files_have_every_key_and_every_type():
    used, known, types = set(), set(), set()
    for path in UNDERSTOOD:
        for part in parts_of(load(path)):
            used |= {(type(part), key) for key in part.lines}
            known |= {(type(part), each.name) for each in fields(part) if "read" in each.metadata}
            types |= {part.type} if isinstance(part, Toolset) else set()
    assert known - used == set()
    assert types == set(TYPES)
    assert {AgentsFile, NamedModel, NamedProvider} <= {kind for kind, _ in known}


def test_words_of_yaml_1_1_are_texts_and_numbers_are_those_of_docker_agent():
    file = _file("words_of_yaml_1_1")
    on, y = file.agents.values()
    assert (on.name, on.description, on.instruction, on.welcome_message) == ("on", "no", "yes", "2026-03-01")
    assert (y.name, y.description, y.max_iterations, y.instruction) == ("y", "12:30:45", 16, "off")
    assert y.toolsets[0].env == {"OCTAL": "0755", "BIG": "1_000", "FLOAT": "1e3", "NOT": "off"}


def test_texts_of_all_forms_are_read():
    writer = _file("scalars").agents["writer"]
    assert writer.description == "Writes texts of several lines."
    assert writer.instruction == "Write plainly.\n\n  - indented\nGrüße, 你好, 🙂\n"
    assert writer.welcome_message == "a tab\there, and a line\nbreak"
    assert {name: each.prompt for name, each in writer.commands.items()} == {
        "404": "it's gone", "true": "null", "<<": "merge nothing",
    }  # fmt: skip


def test_anchors_and_merged_keys_are_read():
    file = _file("anchors")
    assert (file.models["warmer"].model, file.models["warmer"].temperature) == ("gpt-5-mini", 1)
    assert file.models["base"].temperature == 0.2
    assert file.agents["one"].toolsets == file.agents["two"].toolsets


def test_agents_keep_the_order_of_the_file_and_root_is_the_default():
    assert list(_file("agents_in_a_list").agents) == ["reader", "plotter"]
    assert _file("agents_in_a_list").default_agent.name == "reader"
    assert list(_file("root_is_the_default").agents) == ["marker", "root"]
    assert _file("root_is_the_default").default_agent.name == "root"
