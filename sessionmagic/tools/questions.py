"""Questions that an MCP server asks the user in the middle of a call: a message, and a form as a JSON schema."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from sessionmagic.conversation.events import InputAction, InputProvided, InputRequested, Warned
from sessionmagic.exceptions import QuestionNotOpenError, UsageError
from sessionmagic.tools.pending import Pending, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_importing = threading.Lock()
PROBLEM_LENGTH = 300
ACTIONS: tuple[InputAction, ...] = get_args(InputAction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question that is open."""

    id: str
    server: str
    message: str
    schema: Mapping[str, Any]
    """JSON schema of the object that answers it: flat, by MCP's rules, which a server may break."""


class Reply(NamedTuple):
    """What was answered: accept with content, decline, or cancel when there was no answer."""

    action: InputAction
    content: dict[str, Any] | None = None


WITHDRAWN = Reply("cancel")


class Questions(Pending[Question, Reply]):
    """The open questions of one turn.

    Args:
        emit: emits an event, as `EventLog.emit` does.
        attended: whether somebody can answer. If not, each question is declined at once.
    """

    def __init__(self, emit: Callable[..., None], *, attended: bool = False) -> None:
        super().__init__()
        self._emit = emit
        self._attended = attended

    async def ask(self, server: str, message: str, schema: dict[str, Any]) -> Reply:
        """Ask the user and return the reply; cancelling the caller withdraws the question."""
        question = Question(id=new_id(), server=server, message=message, schema=schema)
        return await self._answer(question) or WITHDRAWN

    def answer(self, question_id: str, action: InputAction, content: Mapping[str, Any] | None = None) -> Question:
        """Answer an open question. Only ``"accept"`` has content.

        Raises `QuestionNotOpenError` when the question is not open. Raises `UsageError` for an unknown action, and for
        content that the question's schema does not allow; the question then stays open.
        """
        if action not in ACTIONS:
            raise UsageError(f"{action!r} is not an answer; use one of {', '.join(ACTIONS)}")
        question = next((question for question in self.open if question.id == question_id), None)
        if question is not None and action == "accept":
            _check(dict(content or {}), question.schema)
        given = dict(content or {}) if action == "accept" else None
        if question is None or self._settle(question_id, Reply(action, given)) is None:
            raise QuestionNotOpenError(
                f"no question {question_id!r} is open here: it was answered, or its turn has ended"
            )
        return question

    def miss(self, server: str, why: str) -> None:
        """Warn that a server has asked something that cannot be shown."""
        with self._lock:
            if not self._closed:
                self._emit(Warned, text=f"MCP server {server!r} asked something and got no answer: {why}")

    def _announce(self, asked: Question) -> None:
        self._emit(
            InputRequested, question_id=asked.id, server=asked.server, message=asked.message, schema=dict(asked.schema)
        )
        loop = asyncio.get_running_loop()
        if self._attended:
            loop.run_in_executor(None, _libraries)  # imported while somebody reads the question
        else:
            loop.call_soon(self._settle, asked.id, Reply("decline"))

    def _announce_answer(self, asked: Question, answer: Reply | None) -> None:
        reply = answer or WITHDRAWN
        self._emit(InputProvided, question_id=asked.id, action=reply.action, content=reply.content)


def _libraries() -> tuple[Any, Any, Any]:
    """Import what checks an answer, which may take seconds; one thread at a time."""
    with _importing:
        from jsonschema.exceptions import ValidationError
        from jsonschema.validators import validator_for
        from referencing import Registry

        return validator_for, Registry, ValidationError


def _check(content: dict[str, Any], schema: Mapping[str, Any]) -> None:
    validator_for, registry, ValidationError = _libraries()  # noqa: N806  a class
    try:
        validator_for(schema)(schema, registry=registry()).validate(content)  # an empty registry: nothing is fetched
    except ValidationError as error:
        raise _misfit(error.absolute_path, error.message) from error
    except Exception as error:
        raise UsageError(f"the server's form cannot be filled in ({type(error).__name__}): decline it") from error
    for name, value in content.items():
        each_of = value if isinstance(value, list) else []
        if isinstance(value, dict) or not all(isinstance(each, str) for each in each_of):
            raise _misfit([name], "MCP carries texts, numbers, booleans and lists of texts, and nothing else")


def _misfit(path: Iterable[object], words: str) -> UsageError:
    """Say what does not fit, in a short line: much of the words may be the server's."""
    line = " ".join("".join([*(f"{part}: " for part in path), words]).split())
    line = "".join(character if character.isprintable() else "�" for character in line)
    return UsageError(line if len(line) <= PROBLEM_LENGTH else f"{line[: PROBLEM_LENGTH - 1]}…")
