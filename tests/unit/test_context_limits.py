"""How many tokens a model can read: as the user says, else as its profile says, else unknown."""

import pytest
from traitlets import TraitError

from sessionmagic import Models
from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models.configured import configured
from sessionmagic.notebook.settings import Settings
from sessionmagic.testing import script


def limit(reference, **limits):
    return Models(context_limits=limits).resolve(reference).context_limit


def test_profile_of_a_model_tells_its_limit():
    script("small", "Hi", profile={"context_window": 1_000})
    assert limit("small") == 1_000


def test_limit_is_unknown_where_nothing_tells_it():
    script("mine", "Hi")
    assert limit("mine") is None


def test_users_limit_replaces_the_known_one():
    script("small", "Hi", profile={"context_window": 1_000})
    assert limit("small", small=500) == 500


def test_limits_configured_in_this_process_hold_for_all_models():
    script("mine", "Hi")
    configured.change("local", {}, {}, {"mine": 700})
    assert limit("mine") == 700
    configured.change("local", {}, {})
    assert limit("mine") is None


@pytest.mark.parametrize("tokens", [0, -1, True, "many", 1.5])
def test_limit_is_a_positive_whole_number(tokens):
    script("mine", "Hi")
    with pytest.raises(ModelReferenceError, match="give a number of tokens, 1 or more"):
        limit("mine", mine=tokens)


@pytest.mark.parametrize("limits", [{"lab:name": 0}, {"lab:name": "many"}])
def test_setting_takes_only_positive_whole_numbers(limits):
    with pytest.raises(TraitError):
        Settings(context_limits=limits)
