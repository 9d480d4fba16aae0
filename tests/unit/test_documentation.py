"""The documentation leaves nothing out: each page is listed, and the reference has a text for all that is public."""

import inspect
import json
import re
from importlib import import_module
from pathlib import Path

import pytest
from documented import names, options, settings

import sessionmagic
from sessionmagic import exceptions, testing
from sessionmagic.notebook.cell_line import CELL_LINE
from sessionmagic.notebook.commands import COMMANDS
from sessionmagic.notebook.settings import Settings

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [path for path in DOCS.rglob("*") if path.suffix in {".md", ".ipynb"} and path.parent.name != "examples"]
TEXTS = {path.relative_to(DOCS).as_posix(): path.read_text() for path in PAGES}
LISTED = [
    line
    for text in TEXTS.values()
    for block in re.findall(r"{toctree}\n(.*?)```", text, re.DOTALL)
    for line in block.split()
]
SHOWN = [
    name
    for text in TEXTS.values()
    for block in re.findall(r"{public}\n(.*?)```", text, re.DOTALL)
    for name in block.split()
]
EXAMPLES = [
    (page, found[1])
    for page, text in {**TEXTS, "README.md": (ROOT / "README.md").read_text()}.items()
    if page != "reference/options.md"
    for block in re.findall(r"^```.*?\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    for found in re.finditer(r"^(?:\w+ = )?(%%?agent .*)$", block, re.MULTILINE)
]
"""The lines of magics in the examples of all pages but the one that has placeholders in its line."""
PUBLIC = [
    *(f"sessionmagic.{name}" for name in sessionmagic.__all__),
    *(f"sessionmagic.testing.{name}" for name in testing.__all__),
]
EXCEPTIONS = [
    f"sessionmagic.{name}"
    for name, value in vars(exceptions).items()
    if inspect.isclass(value) and name.endswith("Error")
]


def entries(text):
    """Return the options in a Markdown text of the reference, each with the text below it."""
    found = re.findall(r"^~~~~{option} (.*)\n(.*)\n~~~~$", text, re.MULTILINE)
    return {name.split(" ")[0]: text for names, text in found for name in names.split(", ")}


def flags(parser):
    return {name for action in parser._actions for name in action.option_strings if action.help != "==SUPPRESS=="}


def own_docstring(value):
    """Return the docstring that was written for a class or function, which is not the one that a dataclass makes."""
    text = value.__doc__ or ""
    return "" if text.startswith(f"{value.__name__}(") else text


@pytest.mark.parametrize("page", sorted(TEXTS.keys() - {"index.md"}))
def test_each_page_is_listed_once_in_the_contents_and_has_a_link_on_the_first_page(page):
    assert LISTED.count(page.rsplit(".", 1)[0]) == 1
    assert f"]({page})" in TEXTS["index.md"]


@pytest.mark.parametrize(
    ("page", "directive"),
    [
        ("options", "cell-options"),
        ("subcommands", "subcommands"),
        ("settings", "settings"),
        ("exceptions", "exceptions"),
    ],
)
def test_each_part_that_is_made_from_the_code_stands_on_its_page(page, directive):
    assert f"```{{{directive}}}\n```\n" in TEXTS[f"reference/{page}.md"]


def test_each_option_of_a_cell_has_a_text():
    found = entries(options.cell_options())
    assert set(found) == flags(CELL_LINE) - {"-h", "--help"}
    assert all(text.strip() for text in found.values())


@pytest.mark.parametrize("name", COMMANDS)
def test_each_subcommand_and_each_of_its_options_has_a_text(name):
    text = options.subcommands()[name]
    assert text.startswith(f"`%agent {name}")
    assert options.marked_up(COMMANDS[name].help) in text
    found = entries(text)
    assert set(found) == flags(COMMANDS[name].parser) - {"-h", "--help"}
    assert all(text.strip() for text in found.values())


@pytest.mark.parametrize("name", Settings.class_traits(config=True))
def test_each_setting_has_a_text_its_type_and_its_default(name):
    found = re.search(rf"{{confval}} AgentMagics\.{name}\n(.+)\n\n`.+`; default: `` (.+) ``\n", settings.settings())
    assert found
    assert found[2] == repr(Settings.class_traits()[name].default())


def test_each_public_name_stands_in_the_reference_once():
    inside = [name for name in SHOWN if name in PUBLIC]
    assert sorted([*inside, *names.exceptions()]) == sorted(PUBLIC)


def test_the_reference_names_only_what_exists():
    for name in SHOWN:
        assert names.described(name).startswith(".. ")


@pytest.mark.parametrize("name", [*PUBLIC, *sorted(set(SHOWN) - set(PUBLIC))])
def test_each_public_name_has_a_text(name):
    path, _, own = name.rpartition(".")
    value = getattr(import_module(path), own)
    assert own_docstring(value) if inspect.isclass(value) or inspect.isfunction(value) else names.text_of_alias(own)


def test_each_exception_stands_in_the_tree_below_its_base():
    assert sorted(names.exceptions()) == sorted(EXCEPTIONS)
    depths = re.findall(r"^([│├└─ ]*)(\w+Error)\b", names.exception_tree(), re.MULTILINE)
    drawn, path = {}, []
    for indent, name in depths:
        path[len(indent) // 4 :] = [name]
        drawn[name] = path[-2] if len(path) > 1 else "Exception"
    assert drawn == {name: getattr(exceptions, name).__bases__[0].__name__ for name in drawn}
    assert [f"sessionmagic.{name}" for _, name in depths] == list(names.exceptions())
    assert len(drawn) == len(EXCEPTIONS)


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("use --model for *this* turn", "use `--model` for \\*this\\* turn"),
        ("as in %%agent --set; NAME= removes it", "as in `%%agent` `--set`; `NAME=` removes it"),
        ("%agent tools add-mcp adds one", "`%agent tools add-mcp` adds one"),
        ("%config AgentMagics.NAME = VALUE sets it", "`%config AgentMagics.NAME = VALUE` sets it"),
        ("such as temperature=0,0.7, or local:path.gguf.", "such as `temperature=0,0.7`, or `local:path.gguf`."),
        ("with $`expression` not replaced", "with `` $`expression` `` not replaced"),
        ("a well-known file (PDF, text)", "a well-known file \\(PDF, text\\)"),
    ],
)
def test_code_in_a_help_text_is_code_and_nothing_else_is_markup(text, markdown):
    assert options.marked_up(text) == markdown


@pytest.mark.parametrize(("page", "line"), EXAMPLES)
def test_line_of_an_example_is_understood(page, line):
    magic, _, rest = line.partition(" ")
    if magic == "%%agent":
        parser = CELL_LINE
    else:
        words = rest.split(" ", 2)
        name = max((" ".join(words[:1]), " ".join(words[:2])), key=lambda name: (name in COMMANDS, len(name)))
        parser, rest = COMMANDS[name].parser, rest.removeprefix(name).strip()
    parser.parse_line(rest)
    assert "#" not in rest, f"{page}: a comment on the line of a magic is taken for a part of it"


def test_the_tutorial_is_committed_without_outputs():
    cells = [cell for cell in json.loads(TEXTS["tutorial.ipynb"])["cells"] if cell["cell_type"] == "code"]
    assert [(cell["outputs"], cell["execution_count"]) for cell in cells] == [([], None)] * len(cells)


def test_the_readme_is_short_and_its_links_lead_somewhere():
    readme = (ROOT / "README.md").read_text()
    assert len(readme.splitlines()) <= 60
    links = re.findall(r"\]\(([^)#]+)\)", readme)
    assert "docs/index.md" in links
    assert [link for link in links if not (ROOT / link).exists()] == []
