"""The tools that a turn of this notebook offers, and the effect of a session's rules on their calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import SessionNotFoundError, ToolError
from sessionmagic.notebook.visible import one_line
from sessionmagic.tools.functions import offered, tool_for
from sessionmagic.words import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sessionmagic.conversation.session import Session
    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.tools.functions import Tool
    from sessionmagic.tools.permissions import Offers, Policy

DOES_LENGTH = 200
"""How many characters of an MCP tool's description a listing shows."""


def offered_tools(
    context: NotebookContext, names: Iterable[str] = (), choice: Offers = "", *, background: bool = False
) -> list[Tool]:
    """Return the kernel's tools, then the functions marked with `tool`, then the functions named by ``--tools``.

    If two tools have the same name, the later one is offered. The tools of MCP servers are added while the turn runs.

    Args:
        context: The kernel's context.
        names: One or more names in each item, separated by commas.
        choice: ``"kernel"`` offers the kernel's tools whatever the setting says; ``"none"`` only what is named.
        background: Whether no cell waits. Tools that need a waiting cell then have an obstacle.

    Raises:
        ToolError: A name is not defined, or not a function.
    """
    wanted = choice == "kernel" or (context.settings.kernel_tools and choice != "none")
    notebook_tools = context.tools.notebook_tools(background=background) if wanted else []
    named = offered(_named(names, context.shell.user_ns), marked=choice != "none")
    users = (context.tools.user_tool(tool, background=background) for tool in named)
    return list({tool.name: tool for tool in [*notebook_tools, *users]}.values())


def session_offers(context: NotebookContext, name: str) -> Offers:
    """Return which tools the turns of a session offer that do not say it themselves; a new session has not said it.

    Raises `StoreError`.
    """
    sessions = context.manager.sessions
    try:
        session = sessions.load(context.chosen(name) or context.front_end.notebook)
    except SessionNotFoundError:
        return ""
    return sessions.trusted(session)[0].tools


def _named(names: Iterable[str], namespace: Mapping[str, Any]) -> Iterator[Tool]:
    for name in filter(None, (name.strip() for name in ",".join(names).split(","))):
        if name not in namespace:
            raise ToolError(
                f"--tools: {name!r} is not defined{suggestion(name, namespace, 'define the function first')}"
            )
        yield tool_for(namespace[name], name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedTool:
    """A tool that the next turn of a session offers, as ``%agent tools`` lists it."""

    name: str
    source: str
    read_only: bool
    decision: str
    """What happens when it is called, and why."""
    does: str
    arguments: Sequence[str]


def listed_tools(context: NotebookContext, session: Session | None, names: Iterable[str] = ()) -> list[OfferedTool]:
    """Return the tools that the session's next turn offers; those of MCP servers come last.

    None stands for a new session. Raises `ToolError` as `offered_tools` does.
    """
    from sessionmagic.agents.definition import ASSISTANT, BUILT_IN
    from sessionmagic.tools.permissions import Permissions, safety_of
    from sessionmagic.turns.agent_limits import policy_of
    from sessionmagic.turns.unasked import is_everything_approved

    permissions = Permissions({}, safety_of(context.settings.safety))
    if session is not None:
        permissions, _ = context.manager.sessions.trusted(session)
    of_session = (session.current_agent, session.agents_source) if session is not None else ()
    agent = context.manager.agents.if_usable("", *of_session) or BUILT_IN[ASSISTANT]
    policy = policy_of(
        permissions,
        agent,
        attended=context.front_end.attended,
        remedy=context.front_end.kind.remedy,
        everything=session is not None and is_everything_approved(session.id, permissions.safety),
    )
    return [
        *(
            OfferedTool(
                name=tool.name,
                source=tool.source,
                read_only=tool.read_only,
                decision=_decision(policy, tool.name, read_only=tool.read_only),
                does=tool.description,
                arguments=tool.arguments,
            )
            for tool in offered_tools(context, names, permissions.tools)
            if tool.read_only or not agent.readonly
        ),
        *(
            OfferedTool(
                name=name,
                source=f"MCP {server.name}",
                read_only=name in server.read_only,
                decision=_decision(policy, name, read_only=name in server.read_only),
                does=one_line(does, DOES_LENGTH),
                arguments=server.arguments[name],
            )
            for server in context.servers.listing()
            for name, does in server.tools.items()
            if name in server.read_only or not agent.readonly
        ),
    ]


def _decision(policy: Policy, tool: str, *, read_only: bool) -> str:
    """Describe what happens to a call of the tool, and list the rules that depend on its arguments."""
    from sessionmagic.tools.call import Call
    from sessionmagic.tools.permissions import fits_tool, rule_list

    ruling = policy.rule_on(Call(tool, {}, read_only))
    what = {"allow": "runs", "ask": "asks", "deny": "is denied"}[ruling.verdict]
    by_arguments = (
        f"; {verdict} {rule}"
        for rules in (policy.session, policy.file)
        for verdict, rule in rule_list(rules)
        if ":" in rule and fits_tool(rule, tool)
    )
    return "".join([f"{what}: {ruling.why}", *by_arguments])
