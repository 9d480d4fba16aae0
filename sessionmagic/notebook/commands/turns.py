"""``%agent`` on a turn that runs: tell it something, ask it what comes next, answer what it asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import UsageError
from sessionmagic.loop import loop_thread
from sessionmagic.notebook import cell
from sessionmagic.notebook.commands.registry import argument, command, running, say, typed
from sessionmagic.notebook.page.listing import Listing

if TYPE_CHECKING:
    import argparse

    from sessionmagic.conversation.events import Decision, InputAction
    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.tools.questions import Question
    from sessionmagic.turns.turn import Turn

HOW_TO_ANSWER = "%agent approve ID says yes, with --tool or --all also to later calls; --reject WHY says no"
HOW_TO_FILL_IN = "%agent approve ID fills in a server's form, --reject declines it"
LASTS: dict[Decision, str] = {
    "once": "is approved",
    "tool": "is approved, now and later; %agent permissions {session} --forget {tool} takes that back",
    "all": "is approved, and its session is autonomous; %agent permissions {session} --safety {safety} takes that back",
    "reject": "is rejected",
}
ARGUMENT_LINES = 60
"""Of a call that waits, in a listing; `args` has all."""
_IN_SESSION = argument("-s", "--session", default="", metavar="NAME", help="left out: the one that runs, if it is one")


@command(
    "Tell a running turn something before its next model request.",
    argument("text", verbatim=True, help="the rest of the line, as it is"),
    _IN_SESSION,
)
def steer(context: NotebookContext, options: argparse.Namespace) -> None:
    from sessionmagic.notebook.prompts import interpolate

    session = context.manager.sessions.load(running(context, options.session))
    text = interpolate(options.text, context.shell.user_ns)
    loop_thread().submit(context.manager.turns.steer(session.name, text)).result()
    say(f"{session.name} is told before its next request")


@command(
    "Ask a session when its running turn is done; an idle one is asked at once, in the background.",
    argument("text", verbatim=True, help="the rest of the line, as it is"),
    _IN_SESSION,
    argument("--key", default="", help="do nothing when this key was used before"),
)
def queue(context: NotebookContext, options: argparse.Namespace) -> None:
    cell.queue(context, running(context, options.session), options.text, options.key)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for the user: a tool call for a yes, or an MCP server for an answer."""

    id: str
    session: str
    tool: str
    """Of a server's question ``MCP NAME``."""
    args: dict[str, Any]
    """The call's arguments; of a server's question the JSON schema of its answer."""
    why: str
    """Why the call asks; of a server's question its message."""


@command(
    "Answer what waits: a tool call for a yes, an MCP server for its form; without an id, list it.",
    argument("id", nargs="?", default=""),
    argument("--tool", action="store_true", help="and every later call of this tool in the session"),
    argument("--all", action="store_true", help="and every later call in the session but where a rule asks"),
    argument("--reject", verbatim=True, metavar="REASON", help="do not run it; the model reads the rest of the line"),
)
def approve(context: NotebookContext, options: argparse.Namespace) -> Any:
    rejected = options.reject is not None
    if not options.id:
        if rejected or options.tool or options.all:
            raise UsageError("approve takes the id of a call; %agent approve lists those that wait")
        return _waiting(context)
    for turn, question in context.manager.turns.questions():
        if question.id == options.id:
            _answer_question(context, turn, question, options)
            return None
    decision: Decision = "reject" if rejected else "all" if options.all else "tool" if options.tool else "once"
    asking = [turn for turn, approval in context.manager.turns.approvals() if approval.id == options.id]
    before = {turn.session_id: context.manager.sessions.load(turn.session_id) for turn in asking}
    approval = context.manager.turns.approve(options.id, decision, options.reject or "")
    for session in before.values():
        words = LASTS[decision].format(tool=approval.tool, session=typed(session.name), safety=session.safety)
        say(f"{approval.tool} {words}")
    return None


def _waiting(context: NotebookContext) -> Any:
    from sessionmagic.notebook.page.answer import excerpt, written

    calls = [
        Waiting(approval.id, turn.session_name, approval.tool, dict(approval.args), approval.why)
        for turn, approval in context.manager.turns.approvals()
    ]
    questions = [
        Waiting(question.id, turn.session_name, f"MCP {question.server}", dict(question.schema), question.message)
        for turn, question in context.manager.turns.questions()
    ]
    asked = {entry.id for entry in questions}
    return Listing(
        calls + questions,
        {
            "id": lambda entry: entry.id,
            "session": lambda entry: entry.session,
            "tool": lambda entry: entry.tool,
            "arguments": lambda entry: "" if entry.id in asked else excerpt(written(entry.args), ARGUMENT_LINES),
            "why": lambda entry: entry.why,
        },
        [
            *([HOW_TO_ANSWER] if calls else []),
            *([HOW_TO_FILL_IN] if questions else []),
            *([] if calls or questions else ["nothing waits for an answer"]),
        ],
    )


def _answer_question(context: NotebookContext, turn: Turn, question: Question, options: argparse.Namespace) -> None:
    if options.tool or options.all or options.reject:
        raise UsageError("a server's question is answered once, or declined with --reject, without a reason")
    if options.reject is None:
        accepted = _filled_in(context, turn, question) == "accept"
    else:
        accepted = False
        turn.questions.answer(question.id, "decline")
    say(f"{question.server} {'has its answer' if accepted else 'is declined'}")


def _filled_in(context: NotebookContext, turn: Turn, question: Question) -> InputAction:
    from sessionmagic.notebook.asking import fill_in_on_stdin
    from sessionmagic.notebook.launch import short_interrupt

    if context.front_end.headless:
        raise UsageError(f"nobody can fill in a form here; %agent approve {question.id} --reject declines it")
    left = f"the form was left; {question.server} still waits for an answer to {question.id}"
    while True:
        try:
            action, content = fill_in_on_stdin(question)
            turn.questions.answer(question.id, action, content)
        except UsageError as error:  # it is asked once more
            say(str(error))
        except EOFError:
            raise UsageError(left) from None
        except KeyboardInterrupt:
            raise short_interrupt(left) from None
        else:
            return action
