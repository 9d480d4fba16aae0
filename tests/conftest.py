import os

import pytest

from sessionmagic.models import sources


@pytest.fixture(autouse=True)
def _isolated(tmp_path, monkeypatch):
    """No test sees the user's sessions, keys or proxies, nor the models that another test has registered."""
    monkeypatch.setenv("SESSIONMAGIC_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sources, "_registered", dict(sources._registered))
    for name in os.environ:
        if name.upper().endswith(("_API_KEY", "_TOKEN", "_BASE_URL", "_PROXY")):
            monkeypatch.delenv(name)
