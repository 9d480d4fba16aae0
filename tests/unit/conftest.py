import os

import pytest

from sessionmagic import MemoryStore
from sessionmagic.tools.functions import tool_of
from tests.scripted import Gate
from tests.turns import manager_on


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    """Leave writing to the system's cache: no unit test pulls the plug."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def home(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def manager():
    """A manager with scripted models, in memory; `test_store_contract` has what also holds on disk."""
    return manager_on(MemoryStore())


@pytest.fixture
def gate():
    """What opens the model `gate`."""
    return Gate()


class Tools:
    """Functions that remember what they ran with; `look` only reads."""

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
