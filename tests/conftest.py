import os
from itertools import count

import pytest

from sessionmagic.models import sources
from tests.examples import load_profile

load_profile()
_numbers = count(1)


@pytest.fixture(autouse=True)
def _isolated(tmp_path_factory, monkeypatch):
    """No test sees the user's sessions, keys or proxies, nor the models that another test has registered."""
    home = tmp_path_factory.getbasetemp() / f"home{next(_numbers)}"  # made by the tests that store something there
    monkeypatch.setenv("SESSIONMAGIC_HOME", str(home))
    monkeypatch.setattr(sources, "_registered", dict(sources._registered))
    for name in os.environ:
        if name.upper().endswith(("_API_KEY", "_TOKEN", "_BASE_URL", "_PROXY")):
            monkeypatch.delenv(name)
