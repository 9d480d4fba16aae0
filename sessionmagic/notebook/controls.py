"""The actions a user can take on a running turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sessionmagic.conversation.events import Decision, InputAction


class ModelChoice(Protocol):
    """The choice of the model that an agent's next turns in a session ask. It may be used on any thread."""

    def offered(self) -> tuple[dict[str, str], str]:
        """Return what can be chosen, each reference by its label, and the reference that holds now."""

    def choose(self, reference: str) -> str:
        """Set the model from the next turn on, and return it in words. Raises `SessionMagicError`."""


class Controls(Protocol):
    """The controls of one turn. They may be called on any thread, and before the turn exists."""

    asks_on_page: bool
    """Whether questions are asked on the page rather than on stdin."""
    takes_messages: bool
    """Whether the user can tell the model something while the turn runs, and choose the model of the next turns."""
    takes_code: bool
    """Whether code of the answer can be put into a new cell, because the cell waits for the turn."""

    @property
    def everything_approved(self) -> bool:
        """Whether everything was approved in the turn's session until this kernel ends."""

    def stop(self) -> None:
        """End the turn."""

    def ask_again(self) -> None:
        """Take back that everything was approved in the turn's session."""

    def take_code(self) -> None:
        """Put the code of the answer into a new cell when the turn has ended."""

    def resolve(self, approval_id: str, decision: Decision, reason: str = "") -> None:
        """Decide on a tool call; do nothing if it no longer waits. The model reads the reason of a rejection."""

    def steer(self, text: str) -> None:
        """Send a message for the next model request. Raises `SessionMagicError` if it cannot be sent."""

    def reply(self, question_id: str, action: InputAction, content: dict[str, Any] | None = None) -> None:
        """Answer a server's question; do nothing if it no longer waits. Raises `UsageError` for invalid content."""

    def model_choice(self) -> ModelChoice:
        """Return the choice of the model for the next turns of the turn's session."""
