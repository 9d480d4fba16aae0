"""The notebook context: made before anything is imported, and kept up to date by the settings."""

from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import pytest
from IPython.core.events import EventManager, available_events
from traitlets import TraitError
from traitlets.config import Config, Configurable

from sessionmagic import MemoryStore, Models, SessionManager
from sessionmagic.exceptions import StoreError
from sessionmagic.notebook.context import NotebookContext
from sessionmagic.notebook.magics import AgentMagics
from sessionmagic.notebook.settings import Settings


@pytest.fixture
def context(tmp_path):
    context = NotebookContext(Mock(kernel=None), Settings(store=str(tmp_path)))
    yield context
    context.close()


def test_the_named_session_comes_first_then_the_active_then_the_configured_one(context):
    assert context.chosen() is None
    context.settings.session = "configured"
    assert context.chosen() == "configured"
    context.active_session = "active"
    assert context.chosen() == "active"
    assert context.chosen("named") == "named"
    context.settings.session = "another"
    assert context.chosen() == "another"


def test_manager_is_made_once(context):
    with ThreadPoolExecutor(4) as threads:
        assert len({id(manager) for manager in threads.map(lambda _: context.manager, range(8))}) == 1


def test_models_follow_the_settings_before_and_after_the_manager_is_made(context):
    context.settings.model = "test"
    models = context.manager.models
    assert models.default == "test"
    context.settings.model, context.settings.endpoints = "local", {"lab": "http://127.0.0.1:1/v1"}
    assert (models.default, models.endpoints) == ("local", {"lab": "http://127.0.0.1:1/v1"})


def test_settings_hold_for_a_manager_that_is_made_in_the_same_kernel(context):
    before = SessionManager(MemoryStore())
    context.settings.model, context.settings.endpoints = "lab:m", {"lab": "http://127.0.0.1:1/v1"}
    context.settings.prices = {"lab": [1, 2]}
    for manager in (before, SessionManager(MemoryStore()), context.manager):
        assert manager.models.default == "lab:m"
        assert manager.models.resolve("lab:m").price == [1, 2]
    assert SessionManager(MemoryStore(), Models("test")).models.default == "test"


@pytest.mark.parametrize("price", [[1], [1, 2, 3], ["a", 2], 1])
def test_price_is_two_numbers(context, price):
    with pytest.raises(TraitError):
        context.settings.prices = {"lab": price}


def test_another_store_gets_another_manager_with_the_same_servers(context, tmp_path):
    before = context.manager
    context.active_session = context.latest_session = "chat"
    context.settings.store = str(tmp_path / "other")
    assert context.manager is not before
    assert context.manager.mcp is before.mcp is context.servers
    assert (context.active_session, context.latest_session) == (None, None)


def test_store_that_cannot_be_a_directory_is_refused(context):
    context.settings.store = "~no-such-user/sessions"
    with pytest.raises(StoreError, match="cannot store sessions"):
        _ = context.manager


class Shell(Configurable):
    configurables, kernel, events = [], None, EventManager(None, available_events)


def test_settings_in_a_config_file_hold_when_the_magics_are_made():
    magics = AgentMagics(Shell(config=Config({"AgentMagics": {"model": "test", "session": "chat"}})))
    assert (magics.model, magics.context.settings.model, magics.context.chosen()) == ("test", "test", "chat")
