import gc
import os
from itertools import count

import pytest

from tests.examples import load_profile

load_profile()
_numbers = count(1)
gc.disable()  # while all is imported, which leaves little garbage


def pytest_collection_finish():
    """Have the garbage collector look at less and less often: at what was imported, never again."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(400_000, 20, 20)


@pytest.fixture(autouse=True)
def _isolated(tmp_path_factory, monkeypatch):
    """Hide the user's sessions, keys and proxies, and the models that other tests have registered."""
    from sessionmagic.keys.known import KNOWN
    from sessionmagic.models import abilities, sources
    from sessionmagic.models.configured import configured
    from sessionmagic.turns.account import KERNEL

    home = tmp_path_factory.getbasetemp() / f"home{next(_numbers)}"  # created only by tests that store something
    monkeypatch.setenv("SESSIONMAGIC_HOME", str(home))
    monkeypatch.setattr(sources, "_registered", dict(sources._registered))
    monkeypatch.setattr(KNOWN, "names", {})
    monkeypatch.setattr(KNOWN, "_looked_at", {})
    configured.change("local", {}, {})
    vars(KERNEL).update(vars(type(KERNEL)(KERNEL.owner, KERNEL.advice)))
    abilities.forget()
    for name in os.environ:
        if name.upper().endswith(("_API_KEY", "_TOKEN", "_BASE_URL", "_PROXY")):
            monkeypatch.delenv(name)
