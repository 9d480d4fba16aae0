"""``%agent`` on a running turn: steer it, queue the next prompt, and answer its approvals and questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import UsageError
from sessionmagic.loop import result_of
from sessionmagic.notebook import cell
from sessionmagic.notebook.activity import when_read
from sessionmagic.notebook.captions import asker
from sessionmagic.notebook.commands.registry import argument, command, running, say
from sessionmagic.notebook.page.listing import Listing
from sessionmagic.tools.tool_code import refuse_tools
from sessionmagic.turns.unasked import KERNEL_ENDS, UNASKED
from sessionmagic.words import typed

if TYPE_CHECKING:
    import argparse

    from sessionmagic.conversation.events import Decision, InputAction
    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.tools.questions import Question
    from sessionmagic.turns.turn import Turn

HOW_TO_ANSWER = "%agent approve ID approves a call, and later ones with --tool or --all; --reject REASON rejects it"
HOW_TO_FILL_IN = "%agent approve ID answers a server's question; --reject declines it"
LASTS: dict[Decision, str] = {
    "once": "is approved",
    "tool": "is approved, and so are later calls of it; %agent permissions {session} --forget {tool} undoes this",
    "all": f"is approved, and {UNASKED}",
    "reject": "is rejected",
}
ARGUMENT_LINES = 60
"""How many lines of a waiting call's arguments the listing shows; `Waiting.args` has them all."""
_TURN = argument("--turn", default="", metavar="ID", help="which turn, if the session has several running turns")
_RAW = argument("--raw", action="store_true", help="send the text as typed, with $`expression` not replaced")
_IN_SESSION = argument(
    "-s", "--session", default="", metavar="NAME", help="default: the one that is running, or the active one"
)


@command(
    "Send a message to a running turn. The model reads it with its next request.",
    argument("text", verbatim=True, help="the rest of the line, unchanged"),
    _IN_SESSION,
    _TURN,
    _RAW,
)
def steer(context: NotebookContext, options: argparse.Namespace) -> None:
    from sessionmagic.notebook.prompts import filled_message

    session = context.manager.sessions.load(running(context, options.session))
    limit = context.settings.value_limit
    text, values, _ = filled_message(options.text, context.shell.user_ns, raw=options.raw, limit=limit)
    told = result_of(context.manager.turns.steer(session.name, text, turn=options.turn, values=values))
    say(f"sent to {session.name}; {when_read(told.transcript)}")


@command(
    "Queue a prompt for when a session's running turn ends. An idle session is asked at once, in the background.",
    argument("text", verbatim=True, help="the rest of the line, unchanged"),
    _IN_SESSION,
    _TURN,
    argument("--key", default="", help="do nothing if this key was used before"),
    _RAW,
)
def queue(context: NotebookContext, options: argparse.Namespace) -> None:
    cell.queue(context, running(context, options.session), options)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A tool call that waits for approval, or a question of an MCP server or the agent that waits for an answer."""

    id: str
    session: str
    tool: str
    """The tool that is called; for a server's question, ``MCP NAME``."""
    args: dict[str, Any]
    """The call's arguments; for a server's question, the JSON schema of the answer."""
    why: str
    """Why the call needs approval; for a server's question, its message."""
    column: str = ""
    """The column of a comparison that makes the call; empty if there is none."""
    agent: str = ""
    """The sub-agent that makes the call; empty for the agent of the turn."""


@command(
    "Approve a tool call that waits, or answer the question of an MCP server; without an id, list what waits.",
    argument("id", nargs="?", default="", help="id of the call or question"),
    argument("--tool", action="store_true", help="approve later calls of this tool in the session too"),
    argument(
        "--all",
        action="store_true",
        help="approve later calls in the session that no rule covers too, until this kernel ends; asks once more",
    ),
    argument("--reject", verbatim=True, metavar="REASON", help="reject it; the model reads the rest of the line"),
)
def approve(context: NotebookContext, options: argparse.Namespace) -> Any:
    rejected = options.reject is not None
    if not options.id:
        if rejected or options.tool or options.all:
            raise UsageError("--tool, --all and --reject need the id of a call; %agent approve lists those that wait")
        return _waiting(context)
    for turn, question in context.manager.turns.questions():
        if question.id == options.id:
            _answer_question(context, turn, question, options)
            return None
    decision: Decision = "reject" if rejected else "all" if options.all else "tool" if options.tool else "once"
    asking = [turn for turn, approval in context.manager.turns.approvals() if approval.id == options.id]
    before = {turn.session_id: context.manager.sessions.load(turn.session_id) for turn in asking}
    if decision == "all" and asking and not _is_sure(context, options.id):
        say(f"{options.id} still waits")
        return None
    approval = context.manager.turns.approve(options.id, decision, options.reject or "")
    for session in before.values():
        words = LASTS[decision].format(
            tool=approval.tool, until=KERNEL_ENDS, session=typed(session.name), safety=session.safety
        )
        say(f"{approval.tool} {words}")
    return None


def _is_sure(context: NotebookContext, approval_id: str) -> bool:
    """Ask once more whether all calls may run; an interrupt raises `KeyboardInterrupt`, and all still wait."""
    from sessionmagic.notebook.cell_work import short_interrupt
    from sessionmagic.notebook.terminal.asking import Stdin, is_sure

    refuse_tools("decide on a tool call")
    if not context.front_end.takes_input:
        raise UsageError("--all asks once more, and nobody can answer here; leave it out to approve this call")
    try:
        return is_sure(Stdin(prints=context.front_end.kind.live))
    except EOFError:
        return False
    except KeyboardInterrupt:
        raise short_interrupt(f"{approval_id} still waits") from None


def _waiting(context: NotebookContext) -> Any:
    from sessionmagic.notebook.captions import written
    from sessionmagic.notebook.excerpts import excerpt

    calls = [
        Waiting(
            approval.id,
            turn.session_name,
            approval.tool,
            dict(approval.args),
            approval.why,
            _column(turn),
            approval.agent if approval.for_calls else "",
        )
        for turn, approval in context.manager.turns.approvals()
    ]
    questions = [
        Waiting(
            question.id,
            turn.session_name,
            f"MCP {question.server}" if question.server else "user_prompt",
            dict(question.schema),
            question.message,
            _column(turn),
            question.sub_agent,
        )
        for turn, question in context.manager.turns.questions()
    ]
    asked = {entry.id for entry in questions}
    return Listing(
        calls + questions,
        {
            "id": lambda entry: entry.id,
            "session": lambda entry: entry.session,
            **({"column": lambda entry: entry.column} if any(entry.column for entry in calls + questions) else {}),
            "tool": lambda entry: entry.tool,
            "args": lambda entry: "" if entry.id in asked else excerpt(written(entry.args), ARGUMENT_LINES),
            "why": lambda entry: entry.why,
        },
        [
            *([HOW_TO_ANSWER] if calls else []),
            *([HOW_TO_FILL_IN] if questions else []),
            *([] if calls or questions else ["nothing waits for an answer"]),
        ],
    )


def _column(turn: Turn) -> str:
    return turn.column.name if turn.column is not None else ""


def _answer_question(context: NotebookContext, turn: Turn, question: Question, options: argparse.Namespace) -> None:
    if options.tool or options.all or options.reject:
        raise UsageError("--tool, --all and a reason for --reject are for tool calls; this is the question of a server")
    if options.reject is None:
        accepted = _filled_in(context, turn, question) == "accept"
    else:
        accepted = False
        turn.questions.answer(question.id, "decline")
    say(f"{'answered' if accepted else 'declined'} the question of {_who_asks(question)}")


def _who_asks(question: Question) -> str:
    return asker(question.server, question.sub_agent, kind="")


def _filled_in(context: NotebookContext, turn: Turn, question: Question) -> InputAction:
    from sessionmagic.notebook.cell_work import short_interrupt
    from sessionmagic.notebook.terminal.asking import Stdin, fill_in_on_stdin

    if not context.front_end.takes_input:
        raise UsageError(
            f"nobody can answer the question in a headless run; %agent approve {question.id} --reject declines it"
        )
    stdin = Stdin(prints=context.front_end.kind.live)
    left = f"no answer was sent; {_who_asks(question)} still waits for one to {question.id}"
    while True:
        try:
            action, content = fill_in_on_stdin(question, stdin)
            turn.questions.answer(question.id, action, content)
        except UsageError as error:  # ask again
            say(str(error))
        except EOFError:
            raise UsageError(left) from None
        except KeyboardInterrupt:
            raise short_interrupt(left) from None
        else:
            return action
