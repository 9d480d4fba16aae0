"""``%agent SUBCOMMAND``: what is done to sessions and models outside a turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import ModelReferenceError, SessionNotFoundError, UsageError, did_you_mean
from sessionmagic.loop import loop_thread
from sessionmagic.notebook.arguments import LineParser
from sessionmagic.notebook.listing import Listing, ago, money
from sessionmagic.notebook.visible import visible
from sessionmagic.session import total_cost

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from sessionmagic.events import Answer
    from sessionmagic.notebook.magics import AgentMagics
    from sessionmagic.session import Usage


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand: its options, and what it does with them."""

    parser: LineParser
    run: Callable[[AgentMagics, argparse.Namespace], Any]
    help: str


COMMANDS: dict[str, Command] = {}


def run_command(magics: AgentMagics, line: str) -> Any:
    """Do what ``%agent LINE`` asks and return its result; raises `UsageError` for what it does not know."""
    name, _, rest = line.strip().partition(" ")
    if not name:
        return Listing(
            [Help(name, command.help) for name, command in COMMANDS.items()],
            {"%agent": lambda entry: entry.subcommand, "": lambda entry: entry.does},
        )
    if name not in COMMANDS:
        raise UsageError(f"no subcommand {name!r}.{did_you_mean(name, COMMANDS) or ' %agent lists them all'}")
    command = COMMANDS[name]
    if command.parser.wants_help(rest):
        print(command.parser.format_help())
        return None
    return command.run(magics, command.parser.parse_line(rest))


@dataclass(frozen=True, slots=True)
class Help:
    """A subcommand in the listing of all."""

    subcommand: str
    does: str


def _command(
    text: str, *arguments: tuple[tuple[str, ...], dict[str, Any]]
) -> Callable[[Callable[[AgentMagics, argparse.Namespace], Any]], Callable[..., Any]]:
    def register(function: Callable[[AgentMagics, argparse.Namespace], Any]) -> Callable[..., Any]:
        name = function.__name__
        parser = LineParser(f"%agent {name}", text)
        for names, options in arguments:
            parser.add_argument(*names, **options)
        COMMANDS[name] = Command(parser, function, text)
        return function

    return register


def _argument(*names: str, **options: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    return names, options


_SESSION = _argument("session", nargs="?", default="", help="name or id; left out: the active or the latest")


def _chosen(magics: AgentMagics, name: str) -> str:
    chosen = name or magics.session or magics.active or magics.latest
    if not chosen:
        raise SessionNotFoundError("no session is active yet: name one, or run a cell with %%agent")
    return chosen


@_command("List all sessions, the latest first.")
def sessions(magics: AgentMagics, _options: argparse.Namespace) -> Any:
    found, problems = magics.manager.sessions()
    return Listing(
        found,
        {
            "": lambda item: "★" if item.starred else "",
            "session": lambda item: item.name,
            "title": lambda item: item.title,
            "turns": lambda item: item.turns,
            "model": lambda item: item.model,
            "status": lambda item: item.status,
            "tokens": lambda item: f"{item.input_tokens:,} → {item.output_tokens:,}",
            "cost": lambda item: money(item.cost),
            "changed": lambda item: ago(item.updated_at),
        },
        [f"⚠ {problem}" for problem in problems],
    )


@_command("Show a session's turns again, also one that is running.", _SESSION)
def show(magics: AgentMagics, options: argparse.Namespace) -> None:
    from sessionmagic.notebook.answer import answer_html
    from sessionmagic.notebook.view import show_answer, show_prompt
    from sessionmagic.transcript import transcript_of

    session = magics.manager.session(_chosen(magics, options.session))
    running = magics.manager.running_turn(session.id)
    for turn in session.path():
        live = running is not None and running.id == turn.id
        transcript = running.transcript if live and running else transcript_of(session.name, turn)
        show_prompt(turn.prompt)
        show_answer(transcript, answer_html(transcript))


@_command("Make a session the one that cells without --session go on with.", _argument("session"))
def use(magics: AgentMagics, options: argparse.Namespace) -> None:
    session = magics.manager.session(options.session)
    magics.active = session.id
    _say(f"{session.name} is the active session")


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model reference that can be used now."""

    reference: str
    note: str


def _about_local(magics: AgentMagics) -> str:
    try:
        magics.manager.models.check("local")
    except ModelReferenceError as error:
        return f"demo model. {error}"
    return "demo model, runs in this kernel"


@_command("List the model references that can be used on this machine.")
def models(magics: AgentMagics, _options: argparse.Namespace) -> Any:
    notes = {"local": _about_local(magics), "test": "answers without a model, for trying things out"}
    entries = [
        ModelEntry(reference, notes.get(reference, "any model of this provider" if reference.endswith(":") else ""))
        for reference in magics.manager.models.known()
    ]
    return Listing(entries, {"model": lambda entry: entry.reference, "": lambda entry: entry.note})


@_command(
    "Show the session's model, or set it from the next turn on; default takes it back.",
    _argument("reference", nargs="?", default=""),
    _argument("-s", "--session", default=""),
)
def model(magics: AgentMagics, options: argparse.Namespace) -> None:
    name = _chosen(magics, options.session)
    for warning in magics.manager.set_model(name, options.reference) if options.reference else []:
        _say(f"⚠ {warning}")
    session = magics.manager.session(name)
    [summary] = [item for item in magics.manager.sessions()[0] if item.id == session.id]
    _say(f"{session.name}: {summary.model}{'' if session.agent_model_overrides else ' (the default)'}")


@_command("Stop a session's running turn and keep what was said.", _SESSION)
def stop(magics: AgentMagics, options: argparse.Namespace) -> None:
    session = magics.manager.session(_chosen(magics, options.session))
    stopped = magics.manager.stop(session.id)
    _say(f"stopping {session.name}" if stopped else f"no turn of this kernel runs on {session.name}")


@_command(
    "Give a session another name.",
    _argument("names", nargs="+", metavar="[SESSION] NAME"),
)
def rename(magics: AgentMagics, options: argparse.Namespace) -> None:
    if len(options.names) > 2:  # noqa: PLR2004
        raise UsageError("rename takes one or two names; put a name with spaces in quotes")
    *old, new = options.names
    before = magics.manager.session(old[0] if old else _chosen(magics, "")).name
    magics.manager.rename(before, new)
    _say(f"{before} is now {new}")


@_command("Mark a session with a star.", _SESSION, _argument("--off", action="store_true", help="take the star away"))
def star(magics: AgentMagics, options: argparse.Namespace) -> None:
    session = magics.manager.star(_chosen(magics, options.session), starred=not options.off)
    _say(f"{session.name} {'has a star' if session.starred else 'has no star'}")


@_command("Stop a session's turn and remove the session for good.", _argument("session"))
def delete(magics: AgentMagics, options: argparse.Namespace) -> None:
    session = magics.manager.session(options.session)
    loop_thread().submit(magics.manager.delete(session.id)).result()
    _say(f"deleted {session.name} ({len(session.turns)} turns)")


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A tool that the next turn offers."""

    name: str
    source: str
    read_only: bool
    decision: str
    does: str


@_command(
    "List the tools that the next turn offers, and what happens when they are called.",
    _SESSION,
    _argument("-t", "--tools", default="", metavar="NAMES", help="functions of yours, as in %%%%agent --tools"),
)
def tools(magics: AgentMagics, options: argparse.Namespace) -> Any:
    from sessionmagic.agents.permissions import Call, Policy, safety_of

    name = options.session or magics.session or magics.active or magics.latest
    session = magics.manager.session(name) if name else None
    rules, safety = (session.permissions, safety_of(session.safety)) if session else ({}, safety_of(magics.safety))
    policy = Policy(session=rules, file={}, safety=safety)
    offered = {tool.name: tool for tool in magics.offered(options.tools)}
    entries = []
    for tool in offered.values():
        decision = policy.decide(Call(tool.name, {}, tool.read_only))
        words = {"allow": "runs", "ask": "asks", "deny": "is denied"}[decision.verdict]
        entries.append(
            OfferedTool(tool.name, tool.source, tool.read_only, f"{words}: {decision.why}", tool.description)
        )
    return Listing(
        entries,
        {
            "tool": lambda entry: entry.name,
            "from": lambda entry: entry.source,
            "when called": lambda entry: entry.decision,
            "": lambda entry: entry.does,
        },
    )


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a session."""

    verdict: str
    pattern: str


@_command(
    "Show or change what a session does with tool calls: deny beats allow beats ask, and then the safety mode.",
    _SESSION,
    _argument("--allow", metavar="PATTERN", help="run calls that match, such as read_* or fetch:url=https://our.org/*"),
    _argument("--ask", metavar="PATTERN", help="ask for calls that match"),
    _argument("--deny", metavar="PATTERN", help="never run calls that match"),
    _argument("--forget", metavar="PATTERN", help="take a rule away"),
    _argument("--safety", metavar="MODE", help="strict, balanced, restricted or autonomous"),
)
def permissions(magics: AgentMagics, options: argparse.Namespace) -> Any:
    from sessionmagic.agents.permissions import VERDICTS, described, safety_of

    name = _chosen(magics, options.session)
    for verdict in VERDICTS:
        if pattern := getattr(options, verdict):
            magics.manager.set_rule(name, pattern, verdict)
    if options.forget:
        magics.manager.set_rule(name, options.forget, None)
    if options.safety:
        magics.manager.set_safety(name, safety_of(options.safety))
    session = magics.manager.session(name)
    return Listing(
        [Rule(verdict, pattern) for verdict, pattern in described(session.permissions)],
        {"": lambda rule: rule.verdict, "pattern": lambda rule: rule.pattern},
        [f"{session.name} is {session.safety}: {SAFETY_WORDS[session.safety]}"],
    )


SAFETY_WORDS = {
    "strict": "it asks for every other call",
    "balanced": "other calls that only read run, and it asks for the rest",
    "restricted": "other calls that only read run, and the rest is denied",
    "autonomous": "every other call runs",
}


@dataclass(frozen=True, slots=True)
class OpenApproval:
    """A tool call that waits for a yes."""

    id: str
    session: str
    tool: str
    args: dict[str, Any]
    why: str


_IN_SESSION = _argument("-s", "--session", default="", metavar="NAME", help="left out: the active or the latest")


@_command(
    "Tell a running turn something before its next model request.",
    _argument("text", nargs="+"),
    _IN_SESSION,
)
def steer(magics: AgentMagics, options: argparse.Namespace) -> None:
    session = magics.manager.session(_chosen(magics, options.session))
    loop_thread().submit(magics.manager.steer(session.id, " ".join(options.text))).result()
    _say(f"{session.name} is told before its next request")


@_command(
    "Ask a session when its running turn is done; an idle one is asked at once, in the background.",
    _argument("text", nargs="+"),
    _IN_SESSION,
    _argument("--key", default="", help="do nothing when this key was used before"),
)
def queue(magics: AgentMagics, options: argparse.Namespace) -> None:
    magics.queue(_chosen(magics, options.session), " ".join(options.text), options.key)


@_command(
    "Answer a tool call that waits for a yes; without an id, list those that wait.",
    _argument("id", nargs="?", default=""),
    _argument("--tool", action="store_true", help="and every later call of this tool in the session"),
    _argument("--all", action="store_true", help="and every later call in the session"),
    _argument("--reject", nargs="?", const="", metavar="REASON", help="do not run it; the model is told why"),
)
def approve(magics: AgentMagics, options: argparse.Namespace) -> Any:
    if not options.id:
        waiting = [
            OpenApproval(approval.id, turn.session_name, approval.tool, dict(approval.args), approval.why)
            for turn, approval in magics.manager.approvals()
        ]
        return Listing(
            waiting,
            {
                "id": lambda entry: entry.id,
                "session": lambda entry: entry.session,
                "tool": lambda entry: entry.tool,
                "arguments": lambda entry: entry.args,
                "": lambda entry: entry.why,
            },
        )
    rejected = options.reject is not None
    answer: Answer = "reject" if rejected else "all" if options.all else "tool" if options.tool else "once"
    approval = magics.manager.approve(options.id, answer, options.reject or "")
    _say(f"{approval.tool} {'is rejected' if rejected else 'is approved'}")
    return None


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """What one model was used for in a session."""

    model: str
    turns: int
    input_tokens: int
    output_tokens: int
    cost: float | None


@_command("Show what a session has used, model by model.", _SESSION)
def usage(magics: AgentMagics, options: argparse.Namespace) -> Any:
    session = magics.manager.session(_chosen(magics, options.session))
    by_model: dict[str, list[Usage]] = {}
    for turn in session.turns:
        by_model.setdefault(turn.answered_by or turn.model, []).append(turn.usage)
    entries = [
        ModelUsage(
            name,
            len(used),
            sum(each.input_tokens for each in used),
            sum(each.output_tokens for each in used),
            total_cost(used),
        )
        for name, used in by_model.items()
    ]
    return Listing(
        entries,
        {
            "model": lambda entry: entry.model,
            "turns": lambda entry: entry.turns,
            "tokens": lambda entry: f"{entry.input_tokens:,} → {entry.output_tokens:,}",
            "cost": lambda entry: money(entry.cost),
        },
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """A default of the magics."""

    name: str
    value: object
    help: str


@_command("Show the defaults and where sessions live; %config AgentMagics.NAME = VALUE sets one.")
def config(magics: AgentMagics, _options: argparse.Namespace) -> Any:
    values = {name: getattr(magics, name) for name in magics.trait_names(config=True)}
    values["store"] = str(getattr(magics.manager.store, "home", ""))
    entries = [Setting(name, value, magics.traits()[name].help) for name, value in sorted(values.items())]
    return Listing(
        entries,
        {
            "setting": lambda entry: entry.name,
            "value": lambda entry: entry.value,
            "": lambda entry: entry.help,
        },
    )


def _say(line: str) -> None:
    print(visible(line))
