from importlib.util import find_spec

import pytest

from sessionmagic.notebook.warm_up import MODULES

pytestmark = pytest.mark.once


@pytest.mark.parametrize("name", MODULES)
def test_what_is_imported_in_advance_exists(name):
    """The warm-up drops all errors, so a module that was renamed would be missed by nobody."""
    assert find_spec(name) is not None


def test_nothing_is_imported_twice():
    assert len(set(MODULES)) == len(MODULES)
