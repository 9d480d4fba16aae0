"""Tests of the store on disk have the fixtures of the unit tests."""

from tests.unit.conftest import (  # noqa: F401  pytest finds fixtures by their names in this module
    _certificates_are_read_once,
    _no_waiting_for_the_disk,
    gate,
    home,
    manager,
    tools,
)
