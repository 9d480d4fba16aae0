"""Fixtures that all unit tests share. They import what they need: the process that hands out the tests needs none."""

import os
import ssl

import pytest

__all__ = [
    "_certificates_are_read_once",
    "_no_waiting_for_the_disk",
    "gate",
    "home",
    "manager",
    "tools",
]  # what the tests in `store` and `providers` share with these


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    """Skip fsync, which is slow: no unit test cuts the power."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(autouse=True, scope="session")
def _certificates_are_read_once():
    """Give all clients one SSL context: each would read all certificates, and no unit test leaves the machine."""
    with pytest.MonkeyPatch.context() as patch:
        context = ssl.create_default_context()
        patch.setattr(ssl, "create_default_context", lambda *_, **__: context)
        yield


@pytest.fixture
def home(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def manager():
    """A manager with scripted models and a store in memory; `test_store_contract` tests both stores."""
    from sessionmagic import MemoryStore
    from tests.turns import manager_on

    return manager_on(MemoryStore())


@pytest.fixture
def gate():
    """The model `gate` and the event that opens it."""
    from tests.scripted import Gate

    return Gate()


class Tools:
    """Tools that record their calls; `look` is read-only."""

    def __init__(self):
        from sessionmagic.tools.functions import tool_of

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


@pytest.fixture
def page(monkeypatch):
    """What a page shows under a cell."""
    from tests.under_a_cell import Page

    return Page(monkeypatch)


@pytest.fixture
def clock(monkeypatch):
    """The clock of the views without widgets, which stands still."""
    from sessionmagic.notebook import captions
    from sessionmagic.notebook.page import display, display_columns

    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

    clock = Clock()
    for module in (captions, display, display_columns):
        monkeypatch.setattr(module, "time", clock)
    return clock
