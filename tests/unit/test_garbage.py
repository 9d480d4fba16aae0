from types import SimpleNamespace

import pytest

from sessionmagic import garbage


@pytest.mark.parametrize(
    ("made", "frozen", "expected"),
    [
        (garbage.MANY + 1, 0, ["disable", "freeze", "unfreeze", "enable"]),
        (60_000, 0, ["disable", "freeze", "unfreeze", "enable"]),  # less than OpenAI's SDK makes
        (garbage.MANY + 1, 7, ["disable", "enable"]),
        (5, 0, ["disable", "enable"]),
    ],
)
def test_much_that_was_made_is_not_looked_at_again_unless_somebody_has_frozen_objects(
    monkeypatch, made, frozen, expected
):
    done = []
    calls = {name: lambda name=name: done.append(name) for name in ("disable", "enable", "freeze", "unfreeze")}
    facts = {"isenabled": lambda: True, "get_count": lambda: (made, 0, 0), "get_freeze_count": lambda: frozen}
    monkeypatch.setattr(garbage, "gc", SimpleNamespace(**calls, **facts))
    with garbage.uncollected():
        done.append("made") if done != ["disable"] else None
    assert done == expected
