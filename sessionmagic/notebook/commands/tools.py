"""``%agent`` on tools: list the offered ones, set rules for their calls, and add and remove MCP servers."""

from __future__ import annotations

from argparse import REMAINDER
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import UsageError
from sessionmagic.loop import result_of
from sessionmagic.notebook.commands.registry import SESSION, Argument, argument, chosen, command, say
from sessionmagic.notebook.offered_tools import offering
from sessionmagic.notebook.page.listing import Listing

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.notebook.offered_tools import OfferedTool
    from sessionmagic.tools.permissions import Verdict


@command(
    "List the tools that a session's next turn offers, and what happens to calls of them; "
    "%agent tools add-mcp adds MCP servers.",
    SESSION,
    argument(
        "-t", "--tools", action="append", default=[], metavar="NAMES", help="list these functions too, as in %%%%agent"
    ),
)
def tools(context: NotebookContext, options: argparse.Namespace) -> Any:
    name = context.chosen_or_latest(options.session)
    session = context.manager.sessions.load(name) if name else None
    model = context.manager.sessions.next_model(session)
    warning = (
        f"⚠ {model.reference} cannot call tools; none are offered to it" if model and not model.takes_tools else ""
    )
    offered = offering(context, session, options.tools)
    return Listing(
        offered.tools,
        {
            "name": lambda entry: entry.name,
            "source": lambda entry: entry.source,
            "decision": lambda entry: entry.decision,
            "does": lambda entry: entry.does,
        },
        [
            *([warning] if warning else []),
            *(f"⚠ {each}" for each in offered.warnings),
            *(f"MCP {server.name} ({server.where}): {server.status}" for server in offered.servers),
        ],
    )


@command(
    "Add the MCP servers that a file lists under mcpServers, or one server by its name and its command or address.",
    argument("server", nargs=REMAINDER, metavar="FILE | NAME COMMAND…"),
    name="tools add-mcp",
)
def add_mcp(context: NotebookContext, options: argparse.Namespace) -> None:
    from sessionmagic.notebook.cell_work import short_interrupt

    match options.server:
        case []:
            raise UsageError("add-mcp needs a file with mcpServers, or a name and a command or address")
        case [path]:
            if not (names := context.servers.load(path)):
                say(f"every server in {path} is disabled; none was added")
                return
        case [name, "--", where, *arguments] | [name, where, *arguments]:
            address = where.startswith(("http://", "https://"))
            context.servers.add(name, {"url": where} if address else {"command": where, "args": arguments})
            names = [name]
    try:
        say(f"starting {', '.join(names)}")
        started = result_of(context.servers.start(names))
    except KeyboardInterrupt:
        raise short_interrupt("the servers keep starting; %agent tools shows their status") from None
    for server, problem in started:
        offers = f"{server.name} offers {', '.join(server.tools) or 'no tools'}"
        say(f"⚠ {server.name}: {problem}; the next turn tries again" if problem else offers)


@command("Stop an MCP server and no longer offer its tools.", argument("name"), name="tools remove-mcp")
def remove_mcp(context: NotebookContext, options: argparse.Namespace) -> None:
    context.servers.remove(options.name)
    say(f"removed {options.name}")


@dataclass(frozen=True, slots=True)
class Rule:
    """One of a session's rules."""

    verdict: str
    pattern: str
    confirmed: bool = True
    """Whether it counts: false for an allow rule that somebody else has written, until it is confirmed."""


def _pattern(option: str, text: str) -> Argument:
    return argument(option, action="append", default=[], metavar="PATTERN", help=text)


@command(
    "Show or change a session's rules for tool calls. Deny beats allow, and allow beats ask; the safety mode decides "
    "on calls that no rule covers.",
    SESSION,
    _pattern(
        "--allow",
        "run matching calls without asking; PATTERN is a tool's name and, if wanted, values of its arguments, with "
        "wildcards: read_* or fetch:url=https://our.org/*. May be repeated, like the next three",
    ),
    _pattern("--ask", "ask before running matching calls"),
    _pattern("--deny", "never run matching calls"),
    _pattern("--forget", "remove the rule with this pattern"),
    argument(
        "--safety",
        metavar="MODE",
        help="strict, balanced, restricted or autonomous; decides on calls that no rule covers, and takes back that "
        "everything was approved",
    ),
    argument("--new", action="store_true", help="create the session, so that the rules hold from its first turn on"),
    argument(
        "--confirm",
        action="store_true",
        help="make all permissions in the session's file your own; without it, allow rules and the mode autonomous "
        "that you have not set do not count, and rules that were changed outside of your commands make every call ask",
    ),
)
def permissions(context: NotebookContext, options: argparse.Namespace) -> Any:
    from sessionmagic.tools.permissions import VERDICTS, rule_list, safety_of
    from sessionmagic.tools.trust import doubts
    from sessionmagic.turns.unasked import is_everything_approved, unasked_notes

    if options.new and not options.session:
        raise UsageError("--new needs a name for the new session; give one")
    name = options.session if options.new else chosen(context, options.session)
    given: list[tuple[str, Verdict | None]] = [
        *((pattern, verdict) for verdict in VERDICTS for pattern in getattr(options, verdict)),
        *((pattern, None) for pattern in options.forget),
    ]
    rules = dict(given)
    if len(rules) < len(set(given)):
        raise UsageError(
            "the same pattern was given to two options; give it to only one of --allow, --ask, --deny and --forget"
        )
    mode = options.safety or (context.settings.safety if options.new else "")
    sessions = context.manager.sessions
    if options.confirm and not options.new:  # first, as a change leaves out what is not confirmed
        sessions.confirm_permissions(name)
    if rules or mode or options.new:
        sessions.set_permissions(name, rules, safety_of(mode) if mode else None, new=options.new)
    session = sessions.load(name)
    permissions, untrusted = sessions.trusted(session)
    everything = is_everything_approved(session.id, permissions.safety)
    added = [pattern for pattern, verdict in rules.items() if verdict]
    return Listing(
        [
            Rule(verdict, pattern, confirmed=f"{verdict} {pattern}" not in untrusted)
            for verdict, pattern in rule_list(session.permissions)
        ],
        {
            "verdict": lambda rule: rule.verdict if rule.confirmed else f"{rule.verdict} (not confirmed)",
            "pattern": lambda rule: rule.pattern,
        },
        [
            f"{session.name} is {permissions.safety}: {SAFETY_WORDS[permissions.safety]}",
            *(unasked_notes(session.id, session.name, permissions.safety) if everything else ()),
            *(f"⚠ {doubt}" for doubt in doubts(session.name, untrusted)),
            *(_doubts(added, offering(context, session).tools) if added else ()),
        ],
    )


def _doubts(patterns: Sequence[str], tools: Sequence[OfferedTool]) -> Iterator[str]:
    """Yield a warning for each pattern that matches no call of the offered tools."""
    from sessionmagic.tools.rule_patterns import fits_tool, split_pattern

    for pattern in patterns:
        tool, conditions = split_pattern(pattern)
        found = [each for each in tools if fits_tool(pattern, each.name)]
        known = {name for each in found for name in each.arguments}
        if not found:
            yield f"⚠ no offered tool matches {tool!r}; %agent tools lists them"
        for unknown in {name for name, _ in conditions} - known if found else ():
            yield f"⚠ {tool} has no argument {unknown!r}; it takes {', '.join(sorted(known)) or 'none'}"


SAFETY_WORDS = {
    "strict": "asks before every call that no rule covers",
    "balanced": "runs read-only calls that no rule covers, and asks before the others",
    "restricted": "runs read-only calls that no rule covers, and denies the others",
    "autonomous": "runs every call that no rule covers",
}
