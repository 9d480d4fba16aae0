import os

import pytest

from sessionmagic import MemoryStore
from sessionmagic.tools.functions import tool_of
from tests.scripted import Gate
from tests.turns import manager_on


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    """Skip fsync, which is slow: no unit test cuts the power."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def home(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def manager():
    """A manager with scripted models and a store in memory; `test_store_contract` tests both stores."""
    return manager_on(MemoryStore())


@pytest.fixture
def gate():
    """The model `gate` and the event that opens it."""
    return Gate()


class Tools:
    """Tools that record their calls; `look` is read-only."""

    def __init__(self):
        self.ran = []
        self.look = tool_of(self._look, name="look", read_only=True)

    def _look(self, at: str) -> str:
        self.ran.append(f"look {at}")
        return f"saw {at}"

    def run(self, code: str) -> str:
        self.ran.append(f"run {code}")
        return f"ran {code}"

    def send(self, to: str) -> str:
        self.ran.append(f"send {to}")
        return f"sent {to}"

    @property
    def all(self):
        return [self.look, self.run, self.send]


@pytest.fixture
def tools():
    return Tools()
