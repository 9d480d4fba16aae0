"""The questions that MCP servers and agents ask the user during a call: a message, and a form as a JSON schema."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from sessionmagic.conversation.events import InputAction, InputProvided, InputRequested, Warned
from sessionmagic.exceptions import QuestionNotOpenError, UsageError
from sessionmagic.tools.pending import Pending, new_id
from sessionmagic.tools.schemas import checking_libraries
from sessionmagic.tools.tool_code import refuse_tools
from sessionmagic.words import printable, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

PROBLEM_LENGTH = 300
"""Characters of an error about an answer. Much of its text may come from the server."""
ACTIONS: tuple[InputAction, ...] = get_args(InputAction)


asking_for: ContextVar[str] = ContextVar("asking_for", default="")
"""The sub-agent whose tool call runs in this context; empty for the turn's own agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An open question."""

    id: str
    server: str
    """The MCP server that asks; empty if the agent does."""
    message: str
    schema: Mapping[str, Any]
    """The JSON schema of the answer, which is an object. MCP wants it to be flat, but a server may break that rule."""
    sub_agent: str = ""
    """The sub-agent during whose call it is asked; empty for the turn's own agent, or if that is not known."""


class Reply(NamedTuple):
    """The reply to a question: accept, with the content of the answer; decline; or cancel, if nobody answered."""

    action: InputAction
    content: dict[str, Any] | None = None


WITHDRAWN = Reply("cancel")


class Questions(Pending[Question, Reply]):
    """The open questions of one turn.

    Args:
        emit: Emits an event, as `EventLog.emit` does.
        attended: Whether a user can answer. If not, each question is declined at once.
    """

    def __init__(self, emit: Callable[..., None], *, attended: bool = False) -> None:
        super().__init__()
        self._emit = emit
        self._attended = attended

    async def ask(self, server: str, message: str, schema: dict[str, Any], sub_agent: str = "") -> Reply:
        """Ask the user and return the reply. If the caller is cancelled, the question is withdrawn."""
        question = Question(id=new_id(), server=server, message=message, schema=schema, sub_agent=sub_agent)
        return await self._answer(question) or WITHDRAWN

    def answer(self, question_id: str, action: InputAction, content: Mapping[str, Any] | None = None) -> Question:
        """Answer an open question, and return that question.

        Args:
            question_id: The id of the question.
            action: ``"accept"``, ``"decline"`` or ``"cancel"``.
            content: The answer; for ``"accept"`` only.

        Raises:
            QuestionNotOpenError: No open question has that id.
            UsageError: The action is unknown, or the content does not match the question's schema. The question stays
                open.
            ToolError: The caller runs for a tool call.
        """
        refuse_tools("answer the question of a server")
        if action not in ACTIONS:
            raise UsageError(f"{action!r} is not a valid action; use one of {', '.join(ACTIONS)}")
        question = next((question for question in self.open if question.id == question_id), None)
        if question is not None and action == "accept":
            _check(dict(content or {}), question.schema)
        given = dict(content or {}) if action == "accept" else None
        if question is None or self._settle(question_id, Reply(action, given)) is None:
            raise QuestionNotOpenError(
                f"question {question_id!r} is not open (it was answered, or its turn has ended); %agent approve lists "
                f"those that are"
            )
        return question

    def miss(self, server: str, why: str) -> None:
        """Warn about a question that cannot be shown."""
        with self._lock:
            if not self._closed:
                self._emit(Warned, text=f"a question of MCP server {server!r} could not be shown: {why}")

    def _announce(self, asked: Question) -> None:
        self._emit(
            InputRequested,
            question_id=asked.id,
            server=asked.server,
            message=asked.message,
            schema=dict(asked.schema),
            sub_agent=asked.sub_agent,
        )
        loop = asyncio.get_running_loop()
        if self._attended:
            loop.run_in_executor(None, checking_libraries)  # import them while the user reads the question
        else:
            loop.call_soon(self._settle, asked.id, Reply("decline"))

    def _announce_answer(self, asked: Question, answer: Reply | None) -> None:
        reply = answer or WITHDRAWN
        self._emit(InputProvided, question_id=asked.id, action=reply.action, content=reply.content)


def _check(content: dict[str, Any], schema: Mapping[str, Any]) -> None:
    validator_for, registry, ValidationError = checking_libraries()  # noqa: N806  a class
    try:
        validator_for(schema)(schema, registry=registry()).validate(content)  # an empty registry: nothing is fetched
    except ValidationError as error:
        raise _mismatch(error.absolute_path, error.message) from error
    except Exception as error:
        raise UsageError(f"the server's form cannot be filled in ({type(error).__name__}); decline it") from error
    for name, value in content.items():
        each_of = value if isinstance(value, list) else []
        if isinstance(value, dict) or not all(isinstance(each, str) for each in each_of):
            raise _mismatch([name], "only strings, numbers, booleans and lists of strings can be sent to an MCP server")


def _mismatch(path: Iterable[object], message: str) -> UsageError:
    """Return the error for a field that does not match the schema, on one line and cut."""
    line = " ".join("".join([*(f"{part}: " for part in path), message]).split())
    return UsageError(shortened(printable(line), PROBLEM_LENGTH))
