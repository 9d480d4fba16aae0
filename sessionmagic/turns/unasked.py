"""Sessions whose calls run unasked: everything was approved until this kernel ends, or the session is autonomous.

That everything was approved is kept in memory only, so it ends with the kernel and never holds in another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.conversation.events import NotesChanged
from sessionmagic.turns.agent_limits import safety_with
from sessionmagic.turns.group import open_group
from sessionmagic.words import typed

if TYPE_CHECKING:
    from sessionmagic.agents.definition import AgentDefinition
    from sessionmagic.tools.permissions import Safety
    from sessionmagic.turns.admitted import Admitted
    from sessionmagic.turns.group import TurnGroup

UNASKED = "calls that no rule covers run unasked{until}; %agent permissions {session} --safety {safety} asks again"
KERNEL_ENDS = " until this kernel ends"
_approved: dict[str, Safety] = {}
"""By the id of each session in which everything was approved, the safety mode that it then had.

Another mode ends the approval, whoever has set it: another kernel may have made the session stricter.
"""


def approve_everything(group: TurnGroup) -> None:
    """Let calls of a session that no rule covers run unasked, until this kernel ends or `ask_again` is called."""
    _approved[group.session_id] = group.permissions.safety
    group.tell_permissions()


def is_everything_approved(session_id: str, safety: Safety) -> bool:
    """Return whether everything was approved in a session, and still is in its safety mode."""
    return _approved.get(session_id) == safety


def ask_again(session_id: str) -> None:
    """Take back that everything was approved in a session, if it was, and let its running turns say so."""
    _approved.pop(session_id, None)
    if (group := open_group(session_id)) is not None:
        group.tell_permissions()


def ask_everywhere_again() -> None:
    """Take back that everything was approved, in all sessions."""
    for session_id in list(_approved):
        ask_again(session_id)


def unasked_notes(session_id: str, name: str, safety: Safety, agent: AgentDefinition | None = None) -> list[str]:
    """Return a line that says that calls run unasked, and how that is ended; none if they do not.

    Args:
        session_id: The session's id.
        name: The session's name.
        safety: Its safety mode.
        agent: The agent that answers, if one is known.
    """
    if is_everything_approved(session_id, safety):
        return [UNASKED.format(until=KERNEL_ENDS, session=typed(name), safety=safety)]
    if (safety if agent is None else safety_with(agent, safety)) == "autonomous":
        asking = "balanced" if safety == "autonomous" else "strict"  # the usual mode leaves it to the agents file
        return [UNASKED.format(until="", session=typed(name), safety=asking)]
    return []


def notes_of(admitted: Admitted) -> tuple[str, ...]:
    """Return what a turn notes now: where it stands, and whether its calls run unasked."""
    turn, safety = admitted.turn, admitted.hold.group.permissions.safety
    unasked = unasked_notes(turn.session_id, turn.session_name, safety, admitted.plan.agent)
    return (*admitted.record.notes, *unasked)


def tell_notes(admitted: Admitted) -> None:
    """Emit an event if what a running turn notes has changed."""
    if (notes := notes_of(admitted)) != admitted.turn.transcript.notes:
        admitted.log.emit(NotesChanged, notes=notes)
