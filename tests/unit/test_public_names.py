"""What `import sessionmagic` offers."""

from typing import get_args

import pytest

import sessionmagic
from sessionmagic import exceptions
from sessionmagic.conversation import events


def test_every_public_name_can_be_imported():
    for name in sessionmagic.__all__:
        assert getattr(sessionmagic, name) is not None
    assert set(sessionmagic.__all__) == {*sessionmagic._HOMES, "load_ipython_extension"}
    assert set(sessionmagic.__all__) <= set(dir(sessionmagic))


def test_every_exception_and_event_is_public():
    errors = {error.__name__ for error in vars(exceptions).values() if isinstance(error, type)}
    happening = {event.__name__ for event in get_args(events.Event)}
    assert errors | happening <= set(sessionmagic.__all__)


def test_name_that_there_is_not_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Sessionmanager'"):
        sessionmagic.Sessionmanager  # noqa: B018
