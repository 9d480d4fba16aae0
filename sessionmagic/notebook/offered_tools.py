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

    from sessionmagic.agents.definition import AgentDefinition
    from sessionmagic.conversation.session import Session
    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.tools.functions import Tool
    from sessionmagic.tools.mcp.server import McpServer
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Offering:
    """What the next turn of a session offers."""

    tools: list[OfferedTool]
    """Those of MCP servers come last."""
    servers: Sequence[McpServer]
    warnings: Sequence[str]
    """What of the agent's toolsets is not offered, and why."""


def offering(context: NotebookContext, session: Session | None, names: Iterable[str] = ()) -> Offering:
    """Return what the session's next turn offers; None stands for a new session.

    Raises `ToolError` as `offered_tools` does, and `AgentsFileError`.
    """
    from sessionmagic.tools.permissions import Permissions, safety_of
    from sessionmagic.tools.toolsets.made import NOTHING
    from sessionmagic.turns.agent_limits import policy_of
    from sessionmagic.turns.unasked import is_everything_approved

    permissions = Permissions({}, safety_of(context.settings.safety))
    if session is not None:
        permissions, _ = context.manager.sessions.trusted(session)
    agent = _answering(context, session)
    policy = policy_of(
        permissions,
        agent,
        attended=context.front_end.attended,
        remedy=context.front_end.kind.remedy,
        everything=session is not None and is_everything_approved(session.id, permissions.safety),
    )
    functions, made = offered_tools(context, names, permissions.tools), NOTHING
    agent_tools = context.manager.agent_tools
    if permissions.tools != "none":
        made = agent_tools.made(agent, session.id if session else "", [tool.name for tool in functions])
    servers = agent_tools.servers(agent)
    listed = [
        *(_listed(tool, policy) for tool in (*functions, *made.tools)),
        *(_listed_of(server, name, policy) for server in servers for name in server.tools),
    ]
    offered = [each for each in listed if each.read_only or not agent.readonly]
    return Offering(tools=offered, servers=servers, warnings=made.warnings)


def _listed(tool: Tool, policy: Policy) -> OfferedTool:
    return OfferedTool(
        name=tool.name,
        source=tool.source,
        read_only=tool.read_only,
        decision=_decision(policy, tool.name, read_only=tool.read_only, runs_code=tool.runs_code),
        does=tool.description,
        arguments=tool.arguments,
    )


def _listed_of(server: McpServer, name: str, policy: Policy) -> OfferedTool:
    is_read_only = name in server.read_only
    return OfferedTool(
        name=name,
        source=f"MCP {server.name}",
        read_only=is_read_only,
        decision=_decision(policy, name, read_only=is_read_only),
        does=one_line(server.tools[name], DOES_LENGTH),
        arguments=server.arguments[name],
    )


def _answering(context: NotebookContext, session: Session | None) -> AgentDefinition:
    """Return the agent of the session's next turn, or the built-in one if that cannot answer."""
    from sessionmagic.agents.definition import ASSISTANT, BUILT_IN

    of_session = (session.current_agent, session.agents_source) if session is not None else ()
    return context.manager.agents.if_usable("", *of_session) or BUILT_IN[ASSISTANT]


def _decision(policy: Policy, tool: str, *, read_only: bool, runs_code: bool = False) -> str:
    """Describe what happens to a call of the tool, and list the rules that depend on its arguments."""
    from sessionmagic.tools.call import Call
    from sessionmagic.tools.permissions import rule_list
    from sessionmagic.tools.rule_patterns import fits_tool

    ruling = policy.rule_on(Call(tool, {}, read_only, runs_code))
    what = {"allow": "runs", "ask": "asks", "deny": "is denied"}[ruling.verdict]
    by_arguments = (
        f"; {verdict} {rule}"
        for rules in (policy.session, policy.file)
        for verdict, rule in rule_list(rules)
        if ":" in rule and fits_tool(rule, tool)
    )
    return "".join([f"{what}: {ruling.why}", *by_arguments])
