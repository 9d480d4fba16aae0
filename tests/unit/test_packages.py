"""Models of other packages: found by their entry points, imported late, and one that is broken harms no other."""

import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from sessionmagic import MemoryStore, Models, SessionManager
from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models.offers import MOST
from tests.turns import ask, on_a_loop

PAGE = Path(__file__).parents[2] / "docs/how-to/providers.md"
WORKS = "from pydantic_ai.models.test import TestModel\ndef model(name): return TestModel(model_name=name)\n"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Put a package with these entry points and this module, named after the test's provider, on the path."""

    def make(module, code, **entries):
        place = tmp_path / f"site-{module}"
        about = place / f"{module}-1.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        names = "".join(f"{name} = {target}\n" for name, target in (entries or {module: module}).items())
        (about / "entry_points.txt").write_text(f"[sessionmagic.models]\n{names}")
        if code is not None:
            (place / f"{module}.py").write_text(code)
        monkeypatch.syspath_prepend(place)
        monkeypatch.delitem(sys.modules, module, raising=False)
        return place

    return make


def listed(models):
    models._found[:] = models._packages().listed()
    return {offer.model: offer.note for offer in models.offers() if offer.kind == "package"}


def refusal(reference):
    with pytest.raises(ModelReferenceError) as refused:
        Models().resolve(reference)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def blocks(language):
    text = PAGE.read_text().partition("## A provider in a package of your own")[2].partition("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def install(project, place):
    """Build a project's wheel and unpack it, as pip does, which not every environment has."""
    build = "from hatchling.build import build_wheel; print(build_wheel('.'))"
    built = subprocess.run([sys.executable, "-c", build], cwd=project, check=True, capture_output=True, text=True)
    with ZipFile(project / built.stdout.split()[-1]) as wheel:
        wheel.extractall(place)


@pytest.mark.once
@on_a_loop
async def test_example_of_the_documentation_can_be_installed_and_asked(tmp_path, monkeypatch):
    project, place = tmp_path / "project", tmp_path / "site"
    project.mkdir()
    [about], [code] = blocks("toml"), blocks("python")
    assert len(code.splitlines()) <= 20
    (project / "pyproject.toml").write_text(about)
    (project / "shout_models.py").write_text(code)
    install(project, place)
    monkeypatch.syspath_prepend(place)
    models = Models()
    assert "shout_models" not in sys.modules
    assert listed(models) == {"shout:": "any model of this provider", "shout:loud": "", "shout:louder": ""}
    result = await ask(SessionManager(MemoryStore(), models), "hello", model="shout:louder")
    assert (result.text, result.model) == ("HELLO!!!", "shout:louder")
    assert str((await ask(SessionManager(MemoryStore()), model="shout:x")).error) == "shout:x: KeyError: 'x'"


def test_package_is_imported_when_its_model_is_asked_and_not_before(package):
    package("late_models", WORKS)
    models = Models()
    models.check("late_models:m")
    assert "late_models:" in models.known()
    with pytest.raises(ModelReferenceError, match="did you mean 'late_models'"):
        models.check("late_model:m")
    assert "late_models" not in sys.modules
    assert models.resolve("late_models/org/m:8b").model.model_name == "org/m:8b"


def test_package_is_found_that_is_installed_meanwhile(package):
    models = Models()
    with pytest.raises(ModelReferenceError, match="unknown provider 'new_models'"):
        models.check("new_models:m")
    package("new_models", WORKS)
    models.check("new_models:m")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (None, "ModuleNotFoundError: No module named 'bad_models'"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def broken(:", "SyntaxError: "),
        ("raise SystemExit('I leave')", "SystemExit: I leave"),
        ("raise ValueError('one\\ntwo\\x1b[31m')", "ValueError: one two\ufffd[31m"),
    ],
)
def test_broken_package_is_one_line_and_leaves_the_others_alone(package, code, words):
    package("bad_models", code)
    package("good_models", WORKS)
    found = listed(Models())
    assert found["good_models:"] == "any model of this provider"
    blame = "the entry point bad_models of bad_models 1.0 has failed: "
    assert found["bad_models:"].startswith(f"⚠ {blame}{words}")
    assert refusal("bad_models:m").startswith(f"bad_models:m: {blame}{words}")
    assert Models().resolve("good_models:m").model.model_name == "m"


@pytest.mark.parametrize(
    ("code", "note"),
    [
        ("names = lambda: ['m']", "TypeError: it has no function model(name)"),
        (WORKS + "def names(): return 1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_package_that_cannot_be_listed_says_why(package, code, note):
    package("odd_models", code)
    assert listed(Models())["odd_models:"].endswith(note)


def test_names_that_cannot_be_typed_are_not_listed(package):
    package("odd_models", WORKS + "def names(): return ['good', 'ba\\x1bd', 'a b', 7]")
    assert list(listed(Models())) == ["odd_models:", "odd_models:good", "odd_models:7"]


def test_list_without_an_end_is_cut(package):
    package("odd_models", WORKS + "from itertools import count as names")
    assert len(listed(Models())) == 1 + MOST


def test_what_is_no_model_is_refused(package):
    package("odd_models", "def model(name): return 'gpt'")
    assert refusal("odd_models:m").endswith("returned a str, which is not a Model")


def test_refusal_of_the_package_is_kept_word_by_word(package):
    code = "from sessionmagic import ModelReferenceError\ndef model(name): raise ModelReferenceError('log in first')"
    package("strict_models", code)
    assert refusal("strict_models:m") == "log in first"


def test_object_in_a_module_can_be_the_entry_point(package):
    package("made_models", f"{WORKS}class It:\n    model = staticmethod(model)\n", it="made_models:It")
    assert Models().resolve("it:m").model.model_name == "m"


def test_name_that_is_known_already_stays_what_it_is(package):
    package("taken_models", "raise AssertionError", openai="taken_models", lab="taken_models", local="taken_models")
    models = Models(endpoints={"lab": "http://127.0.0.1:1/v1"})
    assert listed(models) == {}
    assert models.resolve("lab:m").model.model_name == "m"
    with pytest.raises(ModelReferenceError, match="needs OPENAI_API_KEY"):
        models.check("openai:m")


def test_name_that_no_reference_can_have_is_left_out(package):
    package("odd_models", WORKS, **{"a b": "odd_models", "ok": "odd_models"})
    assert list(listed(Models())) == ["ok:"]


def test_first_of_two_packages_with_one_name_has_it(package):
    package("second_models", WORKS, twice="second_models")
    package("first_models", "raise ValueError('first')", twice="first_models")
    assert refusal("twice:m").endswith("has failed: ValueError: first")


def test_price_of_a_package_s_model_is_what_the_user_says(package):
    package("good_models", WORKS)
    assert Models(prices={"good_models": [1, 2]}).resolve("good_models:m").price == [1, 2]
