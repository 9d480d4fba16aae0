"""Questions that an MCP server asks the user in the middle of a call: a message, and a form as a JSON schema."""

from __future__ import annotations

import asyncio
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from sessionmagic.conversation.events import InputAction, InputProvided, InputRequested, Warned
from sessionmagic.exceptions import QuestionNotOpenError, UsageError

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


class Questions:
    """The open questions of one turn. Each is answered once, by its id, from any thread.

    Args:
        emit: makes an event known, as `EventLog.emit` does.
        attended: whether somebody answers. When not, questions are declined at once.
    """

    def __init__(self, emit: Callable[..., None], *, attended: bool = False) -> None:
        self._emit = emit
        self._attended = attended
        self._closed = False
        self._lock = threading.Lock()
        self._open: dict[str, tuple[Question, asyncio.Future[Reply]]] = {}

    @property
    def open(self) -> list[Question]:
        """The questions that wait for an answer, the oldest first."""
        with self._lock:
            return [question for question, _ in self._open.values()]

    async def ask(self, server: str, message: str, schema: dict[str, Any]) -> Reply:
        """Ask, and wait for the answer; a question whose asker is cancelled is taken back."""
        question = Question(id=uuid.uuid4().hex[:8], server=server, message=message, schema=schema)
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._closed:
                return Reply("cancel")
            self._open[question.id] = (question, future)
            self._emit(InputRequested, question_id=question.id, server=server, message=message, schema=schema)
        if not self._attended:
            self._settle(question.id, Reply("decline"))
        else:
            asyncio.get_running_loop().run_in_executor(None, _libraries)  # while somebody reads the question
        try:
            return await future
        finally:
            self._settle(question.id, Reply("cancel"))

    def answer(self, question_id: str, action: InputAction, content: Mapping[str, Any] | None = None) -> Question:
        """Answer the question of that id; only what is accepted has content.

        Raises `QuestionNotOpenError` when it is not open (any more), and `UsageError` for an action that is none, or
        content that the question's schema does not allow; then it stays open.
        """
        if action not in ACTIONS:
            raise UsageError(f"{action!r} answers no question; there are {', '.join(ACTIONS)}")
        question = next((question for question in self.open if question.id == question_id), None)
        if question is not None and action == "accept":
            _check(dict(content or {}), question.schema)
        given = dict(content or {}) if action == "accept" else None
        if question is None or not self._settle(question_id, Reply(action, given)):
            raise QuestionNotOpenError(
                f"no question {question_id!r} is open here: it was answered, or its turn has ended"
            )
        return question

    def miss(self, server: str, why: str) -> None:
        """Say that a server has asked something which cannot be shown."""
        with self._lock:
            if not self._closed:
                self._emit(Warned, text=f"MCP server {server!r} asked something and got no answer: {why}")

    def close(self) -> None:
        """Take every open question back, and let none be asked any more: the turn ends."""
        with self._lock:
            self._closed = True
        for question in self.open:
            self._settle(question.id, Reply("cancel"))

    def _settle(self, question_id: str, reply: Reply) -> bool:
        """Give a question its answer, unless it has one; whether it was open."""
        with self._lock:
            if question_id not in self._open:
                return False
            _, future = self._open.pop(question_id)
            self._emit(InputProvided, question_id=question_id, action=reply.action, content=reply.content)
        with suppress(RuntimeError):  # the asker's loop is closed: nobody waits
            future.get_loop().call_soon_threadsafe(_resolve, future, reply)
        return True


def _resolve(future: asyncio.Future[Reply], reply: Reply) -> None:
    if not future.done():
        future.set_result(reply)


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
