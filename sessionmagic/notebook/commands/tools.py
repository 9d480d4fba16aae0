"""``%agent`` on tools: what is offered, and what may run."""

from __future__ import annotations

from argparse import REMAINDER
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import UsageError
from sessionmagic.loop import loop_thread
from sessionmagic.notebook.commands.registry import SESSION, Argument, argument, chosen, command, say
from sessionmagic.notebook.offered_tools import listed_tools
from sessionmagic.notebook.page.listing import Listing

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.notebook.offered_tools import OfferedTool
    from sessionmagic.tools.permissions import Verdict


@command(
    "List the tools that the next turn of a session offers, and what happens when they are called; "
    "%agent tools add-mcp adds an MCP server.",
    SESSION,
    argument("-t", "--tools", action="append", default=[], metavar="NAMES", help="functions of yours, as in %%%%agent"),
)
def tools(context: NotebookContext, options: argparse.Namespace) -> Any:
    from sessionmagic.turns.admission import can_call

    name = context.chosen(options.session) or context.latest_session
    session = context.manager.sessions.load(name) if name else None
    model = context.manager.sessions.next_model(session)
    in_vain = [f"⚠ {model.reference} cannot call tools: none is offered to it"] if model and not can_call(model) else []
    return Listing(
        listed_tools(context, session, options.tools),
        {
            "tool": lambda entry: entry.name,
            "from": lambda entry: entry.source,
            "when called": lambda entry: entry.decision,
            "": lambda entry: entry.does,
        },
        [
            *in_vain,
            *(f"MCP {server.name} ({server.where}): {server.status}" for server in context.servers.listing()),
        ],
    )


@command(
    "Add the MCP servers of a file with mcpServers, or one by its name and its command or address.",
    argument("server", nargs=REMAINDER, metavar="FILE | NAME COMMAND…"),
    name="tools add-mcp",
)
def add_mcp(context: NotebookContext, options: argparse.Namespace) -> None:
    from sessionmagic.notebook.launch import short_interrupt

    match options.server:
        case []:
            raise UsageError("add-mcp takes a file with mcpServers, or a name and a command or address")
        case [path]:
            if not (names := context.servers.load(path)):
                say(f"no server of {path} is switched on")
                return
        case [name, "--", where, *arguments] | [name, where, *arguments]:
            address = where.startswith(("http://", "https://"))
            context.servers.add(name, {"url": where} if address else {"command": where, "args": arguments})
            names = [name]
    try:
        say(f"starting {', '.join(names)}")
        started = loop_thread().submit(context.servers.start(names)).result()
    except KeyboardInterrupt:
        raise short_interrupt("they go on starting; %agent tools shows how they are") from None
    for server, problem in started:
        offers = f"{server.name} offers {', '.join(server.tools) or 'no tools'}"
        say(f"⚠ {server.name}: {problem}; the next turn tries again" if problem else offers)


@command("End an MCP server, and offer its tools no more.", argument("name"), name="tools remove-mcp")
def remove_mcp(context: NotebookContext, options: argparse.Namespace) -> None:
    context.servers.remove(options.name)
    say(f"{options.name} is no server any more")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a session."""

    verdict: str
    pattern: str


def _pattern(option: str, text: str) -> Argument:
    return argument(option, action="append", default=[], metavar="PATTERN", help=text)


@command(
    "Show or change what a session does with tool calls: deny beats allow beats ask, and then the safety mode.",
    SESSION,
    _pattern(
        "--allow", "run calls that match, such as read_* or fetch:url=https://our.org/*; may be repeated, as all are"
    ),
    _pattern("--ask", "ask for calls that match"),
    _pattern("--deny", "never run calls that match"),
    _pattern("--forget", "take a rule away"),
    argument("--safety", metavar="MODE", help="strict, balanced, restricted or autonomous"),
    argument("--new", action="store_true", help="make a session of that name, with these from its first turn on"),
)
def permissions(context: NotebookContext, options: argparse.Namespace) -> Any:
    from sessionmagic.tools.permissions import VERDICTS, described, safety_of

    if options.new and not options.session:
        raise UsageError("--new makes a session of the name that is given: give one")
    name = options.session if options.new else chosen(context, options.session)
    given: list[tuple[str, Verdict | None]] = [
        *((pattern, verdict) for verdict in VERDICTS for pattern in getattr(options, verdict)),
        *((pattern, None) for pattern in options.forget),
    ]
    rules = dict(given)
    if len(rules) < len(set(given)):
        raise UsageError("a pattern is allowed, asked for, denied or forgotten: give it one of the four")
    mode = options.safety or (context.settings.safety if options.new else "")
    context.manager.sessions.set_permissions(name, rules, safety_of(mode) if mode else None, new=options.new)
    session = context.manager.sessions.load(name)
    added = [pattern for pattern, verdict in rules.items() if verdict]
    return Listing(
        [Rule(verdict, pattern) for verdict, pattern in described(session.permissions)],
        {"rule": lambda rule: rule.verdict, "pattern": lambda rule: rule.pattern},
        [
            f"{session.name} is {session.safety}: {SAFETY_WORDS[session.safety]}",
            *(_doubts(added, listed_tools(context, session)) if added else ()),
        ],
    )


def _doubts(patterns: Sequence[str], tools: Sequence[OfferedTool]) -> Iterator[str]:
    """Say which patterns fit no call of the tools that are offered."""
    from sessionmagic.tools.permissions import fits_tool, parted

    for pattern in patterns:
        tool, conditions = parted(pattern)
        found = [each for each in tools if fits_tool(pattern, each.name)]
        known = {name for each in found for name in each.arguments}
        if not found:
            yield f"⚠ no tool that is offered now is called {tool!r}; %agent tools lists them"
        for unknown in {name for name, _ in conditions} - known if found else ():
            yield f"⚠ {tool} has no argument {unknown!r}, only {', '.join(sorted(known)) or 'none'}"


SAFETY_WORDS = {
    "strict": "it asks for every other call",
    "balanced": "other calls that only read run, and it asks for the rest",
    "restricted": "other calls that only read run, and the rest is denied",
    "autonomous": "every other call runs",
}
