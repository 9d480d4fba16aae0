import pytest

from sessionmagic import MemoryStore, register_model
from tests.scripted import Gate
from tests.turns import manager_on


@pytest.fixture
def home(tmp_path):
    return tmp_path / "store"


@pytest.fixture(params=["tiny", "memory"])
def manager(request, home):
    """A manager with scripted models, on each kind of store."""
    return manager_on(home if request.param == "tiny" else MemoryStore())


@pytest.fixture
def gate():
    """What opens the model `gate`."""
    gate = Gate()
    register_model("gate", gate.model)
    return gate
