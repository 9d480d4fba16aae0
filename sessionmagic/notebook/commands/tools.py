"""``%agent`` on tools: what is offered, what may run, and what a running turn is told."""

from __future__ import annotations

from argparse import REMAINDER
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import UsageError
from sessionmagic.loop import loop_thread
from sessionmagic.notebook import cell
from sessionmagic.notebook.commands.registry import SESSION, argument, chosen, command, running, say
from sessionmagic.notebook.listing import Listing
from sessionmagic.notebook.visible import one_line

if TYPE_CHECKING:
    import argparse

    from sessionmagic.agents.permissions import Verdict
    from sessionmagic.events import Answer, InputAction
    from sessionmagic.notebook.magics import AgentMagics
    from sessionmagic.questions import Question
    from sessionmagic.turn import Turn


DOES_LENGTH = 200
HOW_TO_ANSWER = "%agent approve ID says yes, with --tool or --all also to later calls; --reject WHY says no"
ARGUMENT_LINES = 60
"""Of a call that waits, in a listing; `args` has all."""


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A tool that the next turn offers."""

    name: str
    source: str
    read_only: bool
    decision: str
    does: str


@command(
    "List the tools that the next turn of a session offers, and what happens when they are called; "
    "%agent tools add-mcp adds an MCP server.",
    SESSION,
    argument("-t", "--tools", default="", metavar="NAMES", help="functions of yours, as in %%%%agent --tools"),
)
def tools(magics: AgentMagics, options: argparse.Namespace) -> Any:
    return _offered(magics, options.session, options.tools)


@command(
    "Add the MCP servers of a file with mcpServers, or one by its name and its command or address.",
    argument("server", nargs=REMAINDER, metavar="FILE | NAME COMMAND…"),
    name="tools add-mcp",
)
def add_mcp(magics: AgentMagics, options: argparse.Namespace) -> None:
    from sessionmagic.notebook.launch import short_interrupt

    match options.server:
        case []:
            raise UsageError("add-mcp takes a file with mcpServers, or a name and a command or address")
        case [path]:
            if not (names := magics.servers.load(path)):
                say(f"no server of {path} is switched on")
                return
        case [name, where, *arguments]:
            address = where.startswith(("http://", "https://"))
            magics.servers.add(name, {"url": where} if address else {"command": where, "args": arguments})
            names = [name]
    try:
        say(f"starting {', '.join(names)}")
        started = loop_thread().submit(magics.servers.start(names)).result()
    except KeyboardInterrupt:
        raise short_interrupt("they go on starting; %agent tools shows how they are") from None
    for server, problem in started:
        offers = f"{server.name} offers {', '.join(server.tools) or 'no tools'}"
        say(f"⚠ {server.name}: {problem}; the next turn tries again" if problem else offers)


@command("End an MCP server, and offer its tools no more.", argument("name"), name="tools remove-mcp")
def remove_mcp(magics: AgentMagics, options: argparse.Namespace) -> None:
    magics.servers.remove(options.name)
    say(f"{options.name} is no server any more")


def _offered(magics: AgentMagics, session_name: str, functions: str) -> Any:
    from sessionmagic.agents.permissions import Call, Policy, described, names, safety_of

    name = magics.chosen(session_name) or magics.latest
    session = magics.manager.sessions.load(name) if name else None
    rules, safety = (session.permissions, safety_of(session.safety)) if session else ({}, safety_of(magics.safety))
    policy = Policy(session=rules, file={}, safety=safety, attended=not magics.front_end.headless)

    def entry(tool: str, source: str, does: str, *, read_only: bool) -> OfferedTool:
        decision = policy.decide(Call(tool, {}, read_only))
        words = {"allow": "runs", "ask": "asks", "deny": "is denied"}[decision.verdict]
        by_arguments = [
            f"; {verdict} {rule}" for verdict, rule in described(rules) if ":" in rule and names(rule, tool)
        ]
        return OfferedTool(tool, source, read_only, "".join([f"{words}: {decision.why}", *by_arguments]), does)

    offered = {tool.name: tool for tool in cell.offered(magics, functions)}
    entries = [entry(tool.name, tool.source, tool.description, read_only=tool.read_only) for tool in offered.values()]
    servers = magics.servers.listing()
    entries += [
        entry(tool, f"MCP {server.name}", one_line(does, DOES_LENGTH), read_only=tool in server.read_only)
        for server in servers
        for tool, does in server.tools.items()
    ]
    return Listing(
        entries,
        {
            "tool": lambda entry: entry.name,
            "from": lambda entry: entry.source,
            "when called": lambda entry: entry.decision,
            "": lambda entry: entry.does,
        },
        [f"MCP {server.name} ({server.where}): {server.status}" for server in servers],
    )


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a session."""

    verdict: str
    pattern: str


@command(
    "Show or change what a session does with tool calls: deny beats allow beats ask, and then the safety mode.",
    SESSION,
    argument("--allow", metavar="PATTERN", help="run calls that match, such as read_* or fetch:url=https://our.org/*"),
    argument("--ask", metavar="PATTERN", help="ask for calls that match"),
    argument("--deny", metavar="PATTERN", help="never run calls that match"),
    argument("--forget", metavar="PATTERN", help="take a rule away"),
    argument("--safety", metavar="MODE", help="strict, balanced, restricted or autonomous"),
)
def permissions(magics: AgentMagics, options: argparse.Namespace) -> Any:
    from sessionmagic.agents.permissions import VERDICTS, described, names, safety_of

    name = chosen(magics, options.session)
    given: list[tuple[str, Verdict | None]] = [
        (pattern, verdict) for verdict in VERDICTS if (pattern := getattr(options, verdict)) is not None
    ]
    given += [(options.forget, None)] if options.forget is not None else []
    rules = dict(given)
    if len(rules) < len(given):
        raise UsageError("a pattern is allowed, asked for, denied or forgotten: give it one of the four")
    magics.manager.sessions.set_permissions(name, rules, safety_of(options.safety) if options.safety else None)
    session = magics.manager.sessions.load(name)
    return Listing(
        [Rule(verdict, pattern) for verdict, pattern in described(session.permissions)],
        {"rule": lambda rule: rule.verdict, "pattern": lambda rule: rule.pattern},
        [
            f"{session.name} is {session.safety}: {SAFETY_WORDS[session.safety]}",
            *(
                f"⚠ no tool that is offered now is called {pattern.partition(':')[0]!r}; %agent tools lists them"
                for pattern, verdict in rules.items()
                if verdict and not any(names(pattern, tool.name) for tool in _offered(magics, options.session, ""))
            ),
        ],
    )


SAFETY_WORDS = {
    "strict": "it asks for every other call",
    "balanced": "other calls that only read run, and it asks for the rest",
    "restricted": "other calls that only read run, and the rest is denied",
    "autonomous": "every other call runs",
}


_IN_SESSION = argument("-s", "--session", default="", metavar="NAME", help="left out: the one that runs, if it is one")


@command(
    "Tell a running turn something before its next model request.",
    argument("text", verbatim=True, help="the rest of the line, as it is"),
    _IN_SESSION,
)
def steer(magics: AgentMagics, options: argparse.Namespace) -> None:
    from sessionmagic.notebook.prompts import interpolate

    session = magics.manager.sessions.load(running(magics, options.session))
    text = interpolate(options.text, magics.shell.user_ns)
    loop_thread().submit(magics.manager.steer(session.name, text)).result()
    say(f"{session.name} is told before its next request")


@command(
    "Ask a session when its running turn is done; an idle one is asked at once, in the background.",
    argument("text", verbatim=True, help="the rest of the line, as it is"),
    _IN_SESSION,
    argument("--key", default="", help="do nothing when this key was used before"),
)
def queue(magics: AgentMagics, options: argparse.Namespace) -> None:
    cell.queue(magics, running(magics, options.session), options.text, options.key)


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
    argument("--all", action="store_true", help="and every later call in the session"),
    argument("--reject", verbatim=True, metavar="REASON", help="do not run it; the model reads the rest of the line"),
)
def approve(magics: AgentMagics, options: argparse.Namespace) -> Any:
    rejected = options.reject is not None
    if not options.id:
        if rejected or options.tool or options.all:
            raise UsageError("approve takes the id of a call; %agent approve lists those that wait")
        return _waiting(magics)
    for turn, question in magics.manager.questions():
        if question.id == options.id:
            _answer_question(magics, turn, question, options)
            return None
    answer: Answer = "reject" if rejected else "all" if options.all else "tool" if options.tool else "once"
    approval = magics.manager.approve(options.id, answer, options.reject or "")
    say(f"{approval.tool} {'is rejected' if rejected else 'is approved'}")
    return None


def _waiting(magics: AgentMagics) -> Any:
    from sessionmagic.notebook.answer import excerpt, written

    calls = [
        Waiting(approval.id, turn.session_name, approval.tool, dict(approval.args), approval.why)
        for turn, approval in magics.manager.approvals()
    ]
    questions = [
        Waiting(question.id, turn.session_name, f"MCP {question.server}", dict(question.schema), question.message)
        for turn, question in magics.manager.questions()
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
        [HOW_TO_ANSWER if calls or questions else "nothing waits for an answer"],
    )


def _answer_question(magics: AgentMagics, turn: Turn, question: Question, options: argparse.Namespace) -> None:
    if options.tool or options.all or options.reject:
        raise UsageError("a server's question is answered once, or declined with --reject, without a reason")
    if options.reject is None:
        accepted = _filled_in(magics, turn, question) == "accept"
    else:
        accepted = False
        turn.questions.answer(question.id, "decline")
    say(f"{question.server} {'has its answer' if accepted else 'is declined'}")


def _filled_in(magics: AgentMagics, turn: Turn, question: Question) -> InputAction:
    from sessionmagic.notebook.asking import fill_in_on_stdin
    from sessionmagic.notebook.launch import short_interrupt

    if magics.front_end.headless:
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
