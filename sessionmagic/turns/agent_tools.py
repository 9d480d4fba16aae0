"""The tools that come with an agent: those of the toolsets of its agents file, and those of MCP servers."""

from __future__ import annotations

import shutil
from collections import defaultdict
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from sessionmagic.home import default_home
from sessionmagic.loop import in_thread
from sessionmagic.tools.questions import asking_for
from sessionmagic.tools.toolsets.made import NOTHING
from sessionmagic.turns.turn import current_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    from pydantic_ai.toolsets import AbstractToolset

    from sessionmagic.agents.definition import AgentDefinition
    from sessionmagic.tools.mcp.server import McpServer
    from sessionmagic.tools.mcp.servers import McpServers
    from sessionmagic.tools.questions import Questions, Reply
    from sessionmagic.tools.toolsets.jobs import Jobs
    from sessionmagic.tools.toolsets.made import Made
    from sessionmagic.tools.toolsets.surroundings import Surroundings


class AgentTools:
    """What the tools of agents keep in this process: running jobs, and MCP servers. Thread-safe.

    Args:
        common: The MCP servers whose tools every agent is offered.
        home: The directory of the store; None if the sessions are in memory.
    """

    def __init__(self, common: McpServers, home: Path | None) -> None:
        self.common = common
        self._home = home
        self._own_servers: dict[tuple[str, str], McpServers] = {}
        """The servers of each agent, by its file and its name."""
        self._jobs: defaultdict[str, Jobs] = defaultdict(_jobs)
        self._lock = Lock()

    def made(self, agent: AgentDefinition, session_id: str, taken: Collection[str] = ()) -> Made:
        """Return what an agent gets of its toolsets in a session.

        Args:
            agent: The agent.
            session_id: The session.
            taken: The names of the other tools that it is offered.

        Raises `AgentsFileError` if a toolset names an environment variable that is not set.
        """
        if not agent.toolsets:
            return NOTHING
        from sessionmagic.tools.toolsets.making import tools_of_agent

        made = tools_of_agent(agent.toolsets, self._surroundings(agent, session_id), taken)
        return replace(made, owner=_key(agent))

    def names(self, made: Made, *, common: bool) -> list[str]:
        """Return the names of the MCP servers whose tools an agent is offered; `common` adds those of every agent."""
        return [*(self.common.names if common else ()), *(each.name for each in made.servers)]

    async def offered(
        self, made: Made, questions: Questions, warn: Callable[[str], object], taken: Collection[str], *, common: bool
    ) -> list[AbstractToolset[None]]:
        """Return the tools of MCP servers for one turn, as `McpServers.toolsets` does.

        Args:
            made: What the agent gets of its toolsets.
            questions: Where the questions of servers are asked.
            warn: Called with a warning about each server that cannot be used or dies, and each tool that is left out.
            taken: The names of the turn's other tools.
            common: Whether the tools of the servers of every agent are offered.
        """
        offered = await self.common.toolsets(questions, warn, taken) if common else []
        if not made.servers:
            return offered
        from sessionmagic.tools.toolsets.agent_servers import offered_by

        with self._lock:
            own = self._own_servers.setdefault(made.owner, self.common.none())
        return [*offered, *await offered_by(own, made.servers, questions, warn, taken)]

    def servers(self, agent: AgentDefinition) -> list[McpServer]:
        """Return the MCP servers of an agent as a listing shows them, its own ones once a turn has needed them."""
        own = self._own_servers.get(_key(agent))
        return [*self.common.listing(), *(own.listing() if own is not None else ())]

    async def end_session(self, session_id: str) -> None:
        """Stop the jobs of a session that was deleted, and delete what its tools have kept."""
        jobs = self._jobs.pop(session_id, None)
        if jobs is not None:
            await in_thread(jobs.close)
        if (kept := self._kept(session_id)) is not None:
            await in_thread(partial(shutil.rmtree, kept, ignore_errors=True))

    def shutdown(self) -> None:
        """Stop all jobs and all servers, and wait for their ends."""
        for jobs in list(self._jobs.values()):
            jobs.close()
        for servers in (self.common, *self._own_servers.values()):
            servers.shutdown()

    def _surroundings(self, agent: AgentDefinition, session_id: str) -> Surroundings:
        from sessionmagic.tools.toolsets.surroundings import Surroundings
        from sessionmagic.turns.prints import reported

        source = Path(agent.source)
        return Surroundings(
            directory=Path.cwd(),
            store=self._home or default_home(),
            agent=agent.name,
            file=source if source.is_absolute() else None,
            own=lambda: self._kept(session_id),
            ask=_ask,
            reporting=reported,
            jobs=self._jobs[session_id],
            read_only=bool(agent.readonly),
            confirmed=agent.confirmed,
        )

    def _kept(self, session_id: str) -> Path | None:
        """Return the directory in which the tools of a session keep what is theirs."""
        return self._home / "tools" / session_id if self._home is not None else None


def _key(agent: AgentDefinition) -> tuple[str, str]:
    return agent.source, agent.name


def _jobs() -> Jobs:
    from sessionmagic.tools.toolsets.jobs import Jobs

    return Jobs()


async def _ask(message: str, schema: dict[str, Any]) -> Reply:
    return await current_turn.get().questions.ask("", message, schema, asking_for.get())
