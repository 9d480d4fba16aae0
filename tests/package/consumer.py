"""A program of a user's. CI checks its types against the installed wheel, which must bring its own."""

from typing import Any, assert_type

from sessionmagic import Request, Session, SessionManager, Turn, TurnResult, tool


@tool
def word_count(text: str) -> int:
    """Return how many words a text has."""
    return len(text.split())


async def ask(manager: SessionManager) -> str:
    turn = await manager.start(Request(prompt="How many words?", session="churn", tools=[word_count]))
    assert_type(turn, Turn)
    result = await turn.result()
    assert_type(result, TurnResult)
    assert_type(result.value, Any)
    return result.text


def again(manager: SessionManager) -> Session:
    assert_type(manager.run_sync("And now?", session="churn"), TurnResult)
    return manager.sessions.load("churn")
