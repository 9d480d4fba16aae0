"""The Python warnings of the libraries that ask models do not reach the cell; those of the user's code do."""

import warnings

from sessionmagic import MemoryStore, Models, SessionManager
from sessionmagic.models.library_warnings import hide_library_warnings
from tests.provider import ScriptedProvider, usage
from tests.turns import ask, on_a_loop


@on_a_loop
async def test_warnings_of_libraries_do_not_reach_the_cell():
    odd = {"reasoning": {"text": "hm"}, "content": "Hi"}
    unreadable = dict.fromkeys(usage(0, 0))

    def script(handler):
        handler.stream()
        handler.send_chunk(odd)
        handler.send_chunk({}, "stop", usage=unreadable)
        handler.send("data: [DONE]\n\n")
        handler.send("")

    with warnings.catch_warnings(record=True) as shown, ScriptedProvider(script) as provider:
        warnings.simplefilter("always")
        manager = SessionManager(MemoryStore(), Models("test", endpoints={"lab": provider.url}))
        result = await ask(manager, model="lab:some-model")
    assert result.text == "Hi"
    assert [str(each.message) for each in shown] == []
    assert (result.cost, result.usage.unmeasured_requests) == (None, 1)


def test_warnings_of_the_users_own_code_are_shown_as_before():
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        for _ in range(3):
            hide_library_warnings()  # each turn does
            warnings.warn("mine", UserWarning, stacklevel=1)
    assert [str(each.message) for each in shown] == ["mine"]
