"""``%agent`` on the context of a session: what fills it, and a summary in place of its older turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionmagic.loop import require_waiting
from sessionmagic.notebook.commands.registry import SESSION, argument, chosen, command
from sessionmagic.notebook.page.listing import Listing
from sessionmagic.words import counted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from sessionmagic.conversation.session import Session
    from sessionmagic.models.resolved import ResolvedModel
    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.sessions.context import ContextEntry
    from sessionmagic.turns.context_size import ContextKind


@command("Show what fills the context of a session's next turn, and how much the model can read.", SESSION)
def context(context: NotebookContext, options: argparse.Namespace) -> Any:
    from sessionmagic.sessions.context import context_of

    session = context.manager.sessions.load(chosen(context, options.session))
    model = context.manager.sessions.next_model(session)
    others = _others(context, session, model)
    entries = context_of(session, model, others)
    instructions = next(entry.tokens for entry in entries if entry.kind == "instructions")
    return Listing(
        entries,
        {
            "kind": lambda entry: entry.kind,
            "tokens": _tokens,
            "share": lambda entry: "unknown" if entry.share is None else f"{entry.share:.1%}",
        },
        [*_notes(session, model, entries), *_joined(context, session, instructions, others["instructions"])],
    )


def _joined(context: NotebookContext, session: Session, shown: int, estimated: int) -> Iterator[str]:
    """Yield the size of each text that the agent adds to the instructions.

    The sizes are scaled as those of the table are: of `estimated` tokens of instructions, it shows `shown`.
    """
    from sessionmagic.turns.context_size import tokens_in

    for source, text in context.manager.sessions.agent_of(session).additions.items():
        tokens = tokens_in(text) * shown // max(estimated, 1)
        yield f"{source} is about {counted(tokens, 'token')} of the instructions"


def _tokens(entry: ContextEntry) -> str:
    return f"{'~' if entry.estimated else ''}{entry.tokens:,}"


def _others(context: NotebookContext, session: Session, model: ResolvedModel | None) -> dict[ContextKind, int]:
    """Return estimates for the instructions and the tools of the next turn.

    The tools are those of the session's latest request if it had some, as MCP servers add theirs when a turn runs.
    """
    from sessionmagic.notebook.offered_tools import offered_tools
    from sessionmagic.tools.functions import toolset_of
    from sessionmagic.turns.context_size import definition_tokens, tokens_in, tool_tokens

    choice = context.manager.sessions.trusted(session)[0].tools
    instructions = context.manager.sessions.agent_of(session).instructions_for(session.system, None)
    sent = context.manager.turns.sent(session.id)
    if model is not None and not model.takes_tools:
        tools = 0
    else:
        tools = (
            definition_tokens(sent.tools)
            if sent and sent.tools
            else tool_tokens(toolset_of(offered_tools(context, choice=choice)))
        )
    return {"instructions": tokens_in(instructions), "tools": tools}


def _notes(session: Session, model: ResolvedModel | None, entries: list[ContextEntry]) -> list[str]:
    """Return what the numbers mean, and when the history is compacted."""
    from sessionmagic.turns.compaction_request import FULL_SHARE

    limit = entries[-1].limit
    estimate = ["~ marks an estimate: providers count only whole requests"] if any(e.estimated for e in entries) else []
    name = f"session {session.name!r}, {model.reference}" if model is not None else f"session {session.name!r}"
    if model is not None and model.is_replay:
        return [f"{name}; a recording answers, and has the summaries of older turns", *estimate]
    reads = f"{limit:,} tokens" if limit else "unknown; %config AgentMagics.context_limits sets it"
    if model is not None and model.makes_room:
        acts = "when its context is full, the model leaves out the oldest messages itself"
    elif limit:
        acts = (
            f"at {int(FULL_SHARE * limit):,} tokens, or if the provider refuses a request, older turns are summarized"
        )
    else:
        acts = "older turns are summarized only if the provider refuses a request, or by %agent compact"
    return [f"{name}; the model's limit: {reads}", acts, *estimate]


@command(
    "Let the session's model summarize the older turns. The summary is sent in their place, and they stay stored.",
    argument("instruction", nargs="?", default="", verbatim=True, help="what the summary should keep or leave out"),
    argument("-s", "--session", default="", metavar="NAME", help="default: the active session, or the latest"),
)
def compact(context: NotebookContext, options: argparse.Namespace) -> None:
    from sessionmagic.notebook.cell_line import CELL_LINE
    from sessionmagic.notebook.launch import Launch
    from sessionmagic.notebook.surface import rate_of, view_for

    require_waiting()
    manager = context.manager
    session = manager.sessions.load(chosen(context, options.session))
    launch = Launch(
        lambda turn, text: manager.turns.tell(turn, "steer", text),
        rate_of(context),
        lambda _: None,
        context.main_thread,
    )
    with launch.interruptible(), context.main_thread.served():
        view = view_for(context, CELL_LINE.parse_args(["--session", session.name]), launch, background=False)
        launch.show_in(view)
        start = manager.compact(
            session.id,
            options.instruction,
            reuse=context.settings.reuse,
            timeout=context.settings.timeout or None,
            where=context.front_end.place,
            notebook=context.front_end.notebook_path,
        )
        launch.begin(start, view, "end")
        result = launch.wait_until_over()
    if result is not None and result.error is not None:
        raise result.error
