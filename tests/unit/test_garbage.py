import gc
import weakref
from types import SimpleNamespace

import pytest

from sessionmagic import garbage
from tests.turns import acting, on_a_loop, until


@pytest.mark.parametrize(
    ("before", "made", "frozen", "expected"),
    [
        (700, garbage.MANY + 1, 0, ["disable", "freeze", "unfreeze", "enable"]),
        (0, 60_000, 0, ["disable", "freeze", "unfreeze", "enable"]),  # less than OpenAI's SDK makes
        (0, garbage.MANY + 1, 7, ["disable", "enable"]),
        (garbage.MANY, 5, 0, ["disable", "enable"]),
    ],
)
def test_much_that_was_made_is_not_looked_at_again_unless_somebody_has_frozen_objects(
    monkeypatch, before, made, frozen, expected
):
    done = []
    calls = {name: lambda name=name: done.append(name) for name in ("disable", "enable", "freeze", "unfreeze")}
    counts = iter([before, before + made])
    facts = {
        "isenabled": lambda: True,
        "get_count": lambda: (next(counts), 0, 0),
        "get_freeze_count": lambda: frozen,
    }
    monkeypatch.setattr(garbage, "gc", SimpleNamespace(**calls, **facts))
    with garbage.uncollected():
        done.append("made") if done != ["disable"] else None
    assert done == expected


@pytest.fixture
def _no_collection():
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_collection")
@pytest.mark.parametrize("turns", [1, 2])
@on_a_loop
async def test_ended_turn_is_freed_without_the_garbage_collector(manager, turns):
    for _ in range(turns):
        turn = await manager.run("Hello", session="chat")
        assert (await turn.result()).status == "completed"
        left = weakref.ref(turn)
        del turn
    await until(lambda: left() is None)


@pytest.mark.usefixtures("_no_collection")
@on_a_loop
async def test_ended_turn_with_calls_is_freed_without_the_garbage_collector(manager, tools):
    turn, model = await acting(manager, [("look", {"at": "a"})], "Done", tools=tools.all, attended=True)
    assert (await turn.result()).text == "Done"
    left = weakref.ref(turn)
    del turn, model
    await until(lambda: left() is None)
