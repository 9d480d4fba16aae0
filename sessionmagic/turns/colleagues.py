"""The tools with which an agent works with others: it gives one a task, or hands the conversation over to it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from sessionmagic.conversation.sub_agents import HAND_OVER, TRANSFER
from sessionmagic.exceptions import SessionMagicError, ToolError
from sessionmagic.tools.functions import Tool
from sessionmagic.words import shortened, suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionmagic.agents.definition import AgentDefinition
    from sessionmagic.conversation.session import Session
    from sessionmagic.turns.request import Request

    Team = Mapping[str, AgentDefinition | SessionMagicError]
    """The agents of a turn by name, as they were when it was admitted, or why one cannot be used."""

TEAM = "team"
"""The source of these tools."""


class Member(Protocol):
    """An agent at work, which can ask the other agents."""

    async def transfer(self, agent: str, task: str) -> str:
        """Let another agent do a task, and return its answer. Raises an error if it fails."""

    async def hand_over(self, agent: str) -> str:
        """Let another agent answer from the next model request on; return what the model is told."""


current_member: ContextVar[Member] = ContextVar("current_member")
"""The agent whose tool call runs in this context."""


def team_tools(agent: AgentDefinition, request: Request) -> list[Tool]:
    """Return the tools with which an agent works with others. In a comparison, nothing is handed over."""
    tools = []
    if agent.sub_agents:
        tools.append(_transfer_tool(agent.sub_agents))
    if agent.handoffs and request.column is None:
        tools.append(_handoff_tool(agent.handoffs))
    return tools


def team_facts(team: Team, agent: str, session: Session) -> list[list[object]]:
    """Return what tells the agents with which an agent may work from others: a change of it may change an answer."""
    return [
        _facts(each, session.agent_model_overrides.get(each.name))
        for each in team.values()
        if not isinstance(each, SessionMagicError) and each.name != agent
    ]


def _facts(agent: AgentDefinition, override: str | None) -> list[object]:
    named = agent.names.without_headers().behind(override or agent.model or "")
    settings = [dict(agent.settings), dict(agent.kernel_settings)]
    others = [dict(agent.sub_agents), dict(agent.handoffs)]
    tools = [*agent.toolsets, agent.readonly, agent.output]
    return [agent.name, agent.instructions_for("", None), agent.model, override, named, settings, others, tools]


def colleague(team: Team, name: str) -> AgentDefinition:
    """Return the agent of a name. Raises the error that says why it cannot be used."""
    found = team[name]
    if isinstance(found, SessionMagicError):
        raise found
    return found


def _transfer_tool(agents: Mapping[str, str]) -> Tool:
    async def transfer_task(agent: str, task: str, expected_output: str = "") -> str:
        name = _known(agent, agents)
        if not isinstance(task, str) or not task.strip():
            raise ToolError("the task is empty; say what the agent shall do")
        expected = f"\n\nExpected output: {expected_output}" if expected_output else ""
        return await current_member.get().transfer(name, task + expected)

    transfer_task.__doc__ = (
        "Give a task to another agent, and get its answer. It sees the task and the expected output, and nothing else "
        "of this conversation: write down all that it needs to know.\n\n" + _listed(agents)
    )
    about = {
        "task": {"type": "string", "description": "What the agent shall do, with all that it needs to know."},
        "expected_output": {"type": "string", "description": "What its answer shall contain, and in which form."},
    }
    schema = _schema(agents, about)
    return Tool(
        name=TRANSFER,
        function=transfer_task,
        read_only=True,
        apart=True,
        closes=True,
        replays="always",
        source=TEAM,
        schema=schema,
    )


def _handoff_tool(agents: Mapping[str, str]) -> Tool:
    async def handoff(agent: str) -> str:
        return await current_member.get().hand_over(_known(agent, agents))

    handoff.__doc__ = (
        "Hand this conversation over to another agent, which sees all of it and answers the user from now on.\n\n"
        + _listed(agents)
    )
    schema = _schema(agents, {})
    return Tool(
        name=HAND_OVER, function=handoff, read_only=True, alone=True, replays="with effect", source=TEAM, schema=schema
    )


def _schema(agents: Mapping[str, str], about: dict[str, Any]) -> dict[str, Any]:
    named = {"agent": {"type": "string", "enum": list(agents), "description": "The name of the agent."}}
    properties = {**named, **about}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _listed(agents: Mapping[str, str]) -> str:
    lines = (f"- {name}: {' '.join(does.split())}" if does else f"- {name}" for name, does in agents.items())
    return "\n".join(["The agents:", *lines])


def _known(agent: object, agents: Mapping[str, str]) -> str:
    if isinstance(agent, str) and agent in agents:
        return agent
    known = f"the agents are {', '.join(agents)}"
    raise ToolError(f"there is no agent {shortened(str(agent))!r} here{suggestion(str(agent), agents, known)}")
