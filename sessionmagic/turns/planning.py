"""What a turn will do, decided before anything is stored: its model, its settings and its tools."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.session import CRASHED, Session, with_override
from sessionmagic.exceptions import ToolError
from sessionmagic.models.settings import for_model, given, ignored, merged
from sessionmagic.tools.functions import YOURS, offered, toolset_of
from sessionmagic.tools.toolsets.made import NOTHING
from sessionmagic.turns.agent_limits import seconds_left
from sessionmagic.turns.chosen_models import model_for, summarizer_for, with_fallbacks
from sessionmagic.turns.colleagues import team_tools
from sessionmagic.turns.compaction_request import for_summary, without_limits
from sessionmagic.turns.output_type import OUTPUT_TOOL
from sessionmagic.turns.proposing import PROPOSE, not_offered, proposing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic_ai.toolsets import AbstractToolset

    from sessionmagic.agents.definition import AgentDefinition
    from sessionmagic.models.resolved import ResolvedModel
    from sessionmagic.tools.functions import Tool
    from sessionmagic.tools.toolsets.made import Made
    from sessionmagic.turns.agent_tools import AgentTools
    from sessionmagic.turns.fallback import FallbackRules
    from sessionmagic.turns.means import Means
    from sessionmagic.turns.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a turn will do, decided before anything is stored."""

    agent: AgentDefinition
    """The agent, with the instructions of the turn."""
    model: ResolvedModel
    """The model, with the settings of the turn."""
    settings: dict[str, Any]
    """The settings of the turn without those of the model, as they are stored."""
    tools: Sequence[Tool]
    """The functions that the turn offers, if the model can call tools."""
    toolset: AbstractToolset[None] | None
    """The functions in the form of pydantic-ai; None when there are none or the model cannot call tools."""
    made: Made
    """What the agent gets of its toolsets. Its tools are among the functions."""
    warnings: list[str]
    previous: Session
    """The session before the turn."""
    override: str | None
    """The agent's override from this turn on."""
    summarizer: ResolvedModel
    """The model that writes a summary of the history if that becomes too long."""
    fallback: FallbackRules | None = None
    """How the model falls back; None if nothing is asked in its place when it fails."""
    others: Mapping[str, str | None] = field(default_factory=dict)
    """Overrides of other agents that this turn sets; None clears one."""
    seconds_left: float | None = None
    """How long the agent's budgets let the turn take; None if they do not say."""

    @property
    def previous_override(self) -> str | None:
        """The agent's override before the turn."""
        return self.previous.agent_model_overrides.get(self.agent.name)

    @property
    def changes_override(self) -> bool:
        """Whether this turn changes the override."""
        return self.override != self.previous_override

    def with_override(self, session: Session) -> Session:
        """Return the session with the overrides that the turn sets."""
        for name, reference in self.others.items():
            session = with_override(session, name, reference)
        return with_override(session, self.agent.name, self.override) if self.changes_override else session

    def without_override(self, session: Session) -> Session:
        """Return the session with the override from before the turn.

        An override that was changed while the turn ran is kept.
        """
        if session.agent_model_overrides.get(self.agent.name) != self.override:
            return session
        before = self.previous.custom_models_used
        used = [ref for ref in session.custom_models_used if ref != self.override or ref in before]
        session = with_override(session, self.agent.name, self.previous_override)
        return replace(session, custom_models_used=used)


def plan_for(request: Request, session: Session, parent: str | None, agent: AgentDefinition, means: Means) -> Plan:
    """Decide what a turn will do.

    Args:
        request: What is asked.
        session: The session before the turn.
        parent: The id of the turn that the new one continues, or None.
        agent: The agent that answers.
        means: Resolves references, and makes tools.

    Raises `ModelReferenceError`, `ToolError` and `AgentsFileError`.
    """
    stored = session.agent_model_overrides.get(agent.name)
    override = stored
    if request.model and not request.once:
        override = None if request.model == "default" else request.model
    plans = request.kind == "plan"
    if plans:
        agent = proposing(agent)
    model, unresolved = model_for(request, stored, agent, means)
    model, unusable = with_fallbacks(model, request, agent, means)
    summarizer, unable = summarizer_for(model, request, agent, means)
    if request.kind == "compaction":
        model = summarizer
    tools, made = _tools(request, session, agent, means.agent_tools)
    if request.output_type is not None and any(tool.name == OUTPUT_TOOL for tool in tools):
        raise ToolError(f"{OUTPUT_TOOL} is the tool with which a model gives a structured answer; rename your function")
    levels = Levels(agent, session, request)
    writes_itself = summarizer is model  # as for nearly all turns
    model = levels.applied_to(model)
    summarizer = for_summary(model if writes_itself else levels.applied_to(summarizer))
    settings = levels.shared_by(model)
    instructions = _instructions(request, session, agent, made)
    plan = Plan(
        agent=replace(agent, instructions=instructions),
        model=model if request.kind != "compaction" else summarizer,
        summarizer=summarizer,
        settings=given(settings),
        tools=tools,
        toolset=_toolset(tools, model),
        made=made,
        warnings=[
            *_warnings_of_parent(session, parent),
            *unresolved,
            *agent.warnings,
            *(note for note in agent.notes if not _was_told(note, session)),
            *model.warnings,
            *(warning for each in model.fallbacks for warning in each.warnings),
            *(each for each in (*unusable, *unable, *made.warnings) if not _was_told(each, session)),
            *(not_offered(request.tools) if plans else ()),
            *_left_out([*(each for each in tools if each.source == YOURS), *made.tools], model),
            *_ignored_settings(levels, model, session, parent),
        ],
        previous=session,
        override=override,
        seconds_left=seconds_left(session, agent),
    )
    return replace(plan, fallback=_fallback_rules(plan, request, means))


def _tools(
    request: Request, session: Session, agent: AgentDefinition, agent_tools: AgentTools
) -> tuple[list[Tool], Made]:
    """Return the functions that a turn offers, those of the agent's toolsets last, and what else it gets of these."""
    if request.kind == "compaction":
        return [], NOTHING
    of_team = [] if request.only_tools else team_tools(agent, request)
    functions = [*of_team, *offered(request.tools, marked=not request.only_tools)]
    functions = list({each.name: each for each in functions}.values())  # a function of the user's comes before ours
    made = NOTHING if request.only_tools else agent_tools.made(agent, session.id, [each.name for each in functions])
    return [tool for tool in (*functions, *made.tools) if tool.read_only or not agent.readonly], made


def _instructions(request: Request, session: Session, agent: AgentDefinition, made: Made) -> str:
    if request.kind == "compaction":
        return ""
    own = [] if request.system == "" else [agent.instructions_for(session.system, request.system), *made.instructions]
    return "\n\n".join(filter(None, [*own, PROPOSE if request.kind == "plan" else ""]))


def _was_told(warning: str, session: Session) -> bool:
    return any(warning in turn.warnings for turn in session.turns)


def _fallback_rules(plan: Plan, request: Request, means: Means) -> FallbackRules | None:
    if plan.agent.fallback is None or not plan.model.fallbacks:
        return None
    from sessionmagic.turns.fallback import FallbackRules

    named = request.model not in {"", "default"} and (request.once or plan.changes_override)
    return FallbackRules(plan.agent.fallback, means.models.cooldowns, named)


@dataclass(frozen=True, slots=True)
class Levels:
    """The settings of a turn, the nearest level last: kernel, named model, agent, session, turn."""

    agent: AgentDefinition
    session: Session
    request: Request

    def of(self, model: ResolvedModel) -> dict[str, Any]:
        """Return the settings with which a single model is asked, besides those it was registered with."""
        near = merged(self.agent.settings, self.session.settings, self.request.settings)
        settings = merged(self.agent.kernel_settings, model.named_settings, near)
        return settings if self.request.kind != "compaction" else without_limits(settings)

    def applied_to(self, model: ResolvedModel) -> ResolvedModel:
        """Return a model, which may be an alloy and have fallbacks, with the settings of the turn."""
        return model.with_settings(lambda each: for_model(each.model, each.settings, self.of(each)))

    def shared_by(self, model: ResolvedModel) -> dict[str, Any]:
        """Return the settings with which each model is asked to which requests go, unless it fails."""
        first, *others = [self.of(each) for each in model.own]
        return {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}


def _toolset(tools: Sequence[Tool], model: ResolvedModel) -> AbstractToolset[None] | None:
    # Built also for a model that cannot call tools, so that a bad function is an error whatever model is asked.
    toolset = toolset_of(tools) if tools else None
    return toolset if model.takes_tools else None


def _left_out(tools: Sequence[Tool], model: ResolvedModel) -> list[str]:
    """Return a warning that names tools for each model that cannot call them."""
    if not (names := ", ".join(tool.name for tool in tools)):
        return []
    without = dict.fromkeys(each.reference for each in model.each if not each.takes_tools)
    return [f"{reference} cannot call tools, so it is not offered {names}" for reference in without]


def _ignored_settings(levels: Levels, model: ResolvedModel, session: Session, parent: str | None) -> list[str]:
    """Return a warning that names the settings that the model ignores, unless the turn before had the same."""
    before = session.turn(parent) if parent is not None else None
    known = before.settings if before is not None and before.model == model.reference else {}
    return ignored_warnings(model, levels.of, known)


def ignored_warnings(
    model: ResolvedModel,
    settings_of: Callable[[ResolvedModel], Mapping[str, Any]],
    known: Mapping[str, Any] | None = None,
) -> list[str]:
    """Return a warning for each single model in a model that ignores settings.

    Args:
        model: The model.
        settings_of: Returns the settings of a single model, by the names of `models.settings`.
        known: Settings that the user has been warned of. There is no warning about these alone.
    """
    known, found = known or {}, []
    for each in model.each:
        settings = settings_of(each)
        names = ignored(each.model, each.settings, settings)
        if any(known.get(name) != settings[name] for name in names):
            them = "it" if len(names) == 1 else "them"
            found.append(f"{each.reference} ignores {', '.join(names)}: its library does not send {them}")
    return list(dict.fromkeys(found))


def _warnings_of_parent(session: Session, parent: str | None) -> list[str]:
    """Return a warning if the turn that the new one continues was running when its process ended."""
    if parent is None or session.turn(parent).error_code != CRASHED:
        return []
    return [f"turn {parent} was cut off when its process ended; it stays in the history"]
