"""The wheel and the source distribution: what is in them, and that one is made of the other."""

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.once


def run(*arguments, **options):
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A directory with a source distribution, and with the wheel that was built from it."""
    out = tmp_path_factory.mktemp("dist")
    run("-m", "build", "--no-isolation", "--outdir", out, ROOT)
    return out


@pytest.fixture(scope="module")
def wheel(built):
    [path] = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.fixture(scope="module")
def metadata(wheel):
    [text] = [text for name, text in wheel.items() if name.endswith(".dist-info/METADATA")]
    return message_from_string(text)


def test_wheel_has_every_module_with_its_types_and_nothing_else(wheel):
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "sessionmagic").rglob("*.py")}
    assert {name for name in wheel if ".dist-info/" not in name} == modules | {"sessionmagic/py.typed"}


def test_source_distribution_has_what_the_tests_read(built):
    [path] = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "pyproject.toml", "Makefile", "LICENSE", "docs/front-ends.md"} <= names
    for folder in ("sessionmagic", "tests", "benchmarks", "example_notebooks"):
        wanted = {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*.py")}
        assert wanted <= names, wanted - names


def test_metadata_is_what_an_index_takes(built):
    assert "PASSED" in run("-m", "twine", "check", "--strict", *built.glob("sessionmagic-*"))


def test_extras_and_licence_are_declared(metadata, wheel):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(metadata.get_all("Provides-Extra")) == set(project["optional-dependencies"])
    assert metadata["License-Expression"] == "MIT"
    assert any(name.endswith("licenses/LICENSE") for name in wheel)


ASK = """import sessionmagic
print(sessionmagic.__file__)
print(sessionmagic.SessionManager().run_sync("hi", session="chat", model="test"))
"""


def test_wheel_runs_without_the_source(built, tmp_path):
    run("-m", "zipfile", "-e", *built.glob("*.whl"), tmp_path)
    environment = {"PYTHONPATH": str(tmp_path), "SESSIONMAGIC_HOME": str(tmp_path / "home")}
    said = run("-P", "-c", ASK, cwd=tmp_path, env=environment)
    assert said == f"{tmp_path / 'sessionmagic' / '__init__.py'}\nsuccess (no tool calls)\n"
    assert run("-P", "-m", "sessionmagic", "--version", cwd=tmp_path, env=environment).startswith("sessionmagic ")
