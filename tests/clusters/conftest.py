"""Tests with heavy libraries have the fixtures of the unit tests."""

from tests.unit.conftest import *  # noqa: F403  pytest finds fixtures by their names in this module
