"""``%agent sessions`` lists sessions, and ``%agent search`` finds what was said in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import UsageError
from sessionmagic.notebook.commands.registry import argument, command
from sessionmagic.notebook.page.listing import Listing, ago
from sessionmagic.words import typed

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from sessionmagic.conversation.session import SessionSummary
    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.sessions.find import Filter

SHOWN = 50
"""How many sessions are shown. The list has all."""
HITS = 20
ELSEWHERE = argument("--all", action="store_true", help="of all notebooks, whatever AgentMagics.sessions_shown says")
HERE = argument("--here", action="store_true", help="only sessions of this notebook")


@command(
    "List the sessions, most recent first. -1 is the first of them, -2 the next, wherever a session is named.",
    argument("words", nargs="*", metavar="WORD", help="what the name or the title has, each word"),
    argument("-m", "--model", default="", metavar="NAME", help="only those with this model, or a part of its name"),
    argument("--since", default="", metavar="DATE", help="only those that were changed since then: 2026-11-01"),
    argument("--days", type=float, metavar="N", help="only those that were changed in the last N days"),
    argument("--starred", action="store_true", help="only those with a star"),
    HERE,
    ELSEWHERE,
    argument("-n", type=int, default=0, metavar="N", help="at most N"),
)
def sessions(context: NotebookContext, options: argparse.Namespace) -> Any:
    if options.n < 0:
        raise UsageError(f"-n {options.n} is not a number of sessions; -n 10 lists ten")
    _check_scope(context, options)
    wanted = _filter(options)
    every, problems = context.manager.sessions.summaries()
    numbers = {summary.id: -number for number, summary in enumerate(filter(context.shows, every), start=1)}
    here_only = options.here or (context.shows_here_only and not options.all)
    scope = [summary for summary in every if context.is_here(summary)] if here_only else every
    found = [summary for summary in scope if wanted.takes(summary)]
    found = found[: options.n] if options.n else found
    columns = _columns(context, numbers)
    if not any(item.starred for item in found):
        del columns["starred"]  # the table is wide
    return Listing(found, columns, [*_notes(found, every, scope, problems)], shown=SHOWN)


def _filter(options: argparse.Namespace) -> Filter:
    from sessionmagic.sessions.find import Filter, since

    return Filter(
        words=options.words,
        model=options.model,
        since=since(options.since, options.days),
        starred=options.starred,
    )


def _columns(context: NotebookContext, numbers: dict[str, int]) -> dict[str, Callable[[SessionSummary], object]]:
    """Return the columns of the list, named as attributes of a `SessionSummary`. On a narrow page, few have room."""
    waiting = {turn.session_id for turn in context.manager.turns.running() if turn.transcript.waits_for_an_answer}
    return {
        "": lambda item: numbers.get(item.id, ""),
        "name": lambda item: "\n".join(filter(None, (item.name, item.title))),
        "turns": lambda item: item.turns,
        "model": lambda item: item.model,
        "status": lambda item: "waits for your answer" if item.id in waiting else item.status,
        "updated_at": lambda item: ago(item.updated_at),
        "starred": lambda item: "★" if item.starred else "",
    }


def _notes(
    found: list[SessionSummary], every: list[SessionSummary], scope: list[SessionSummary], problems: list[str]
) -> list[str]:
    notes = [f"⚠ {problem}" for problem in problems]
    if found:
        notes.append("%agent usage --all --by session shows tokens and cost")
    elif not problems:
        notes.append("no sessions; a %%agent cell starts one" if not every else "no session matches")
    if len(scope) < len(every) and not found:
        notes.append("%agent sessions --all also lists those of other notebooks")
    return notes


@command(
    "Search the prompts and answers of all sessions, newest turns first.",
    argument(
        "words", as_typed=True, nargs="*", metavar="WORD",
        help="what was said, in any case; each word is text and no pattern, and quotes keep several together",
    ),
    argument("-s", "--session", default="", metavar="NAME", help="search only this session"),
    HERE,
    ELSEWHERE,
    argument("-n", type=int, default=HITS, metavar="N", help=f"at most N turns; default: {HITS}"),
)  # fmt: skip
def search(context: NotebookContext, options: argparse.Namespace) -> Any:
    from sessionmagic.sessions.find import search as turns_with

    if options.n < 1:
        raise UsageError(f"-n {options.n} is not a number of turns; -n 10 shows ten")
    manager = context.manager
    hits = turns_with(manager.sessions, manager.store, options.words, options.n + 1, _among(context, options))
    notes = [f"there are more; -n {10 * options.n} shows them"] if len(hits) > options.n else []
    return Listing(
        hits[: options.n],
        {
            "session": lambda hit: hit.session,
            "turn": lambda hit: hit.turn,
            "started_at": lambda hit: ago(hit.started_at),
            "text": lambda hit: hit.text,
            "": lambda hit: f"%agent show {typed(hit.session)} --turn {hit.turn}",
        },
        notes if hits else [f"nothing was found for {' '.join(map(typed, options.words))}"],
    )


def _among(context: NotebookContext, options: argparse.Namespace) -> list[str] | None:
    """Return the ids of the sessions to search; None for all."""
    _check_scope(context, options)
    if options.session:
        return [context.manager.sessions.load(options.session).id]
    if options.all or (not options.here and not context.shows_here_only):
        return None
    return [summary.id for summary in context.manager.sessions.summaries()[0] if context.is_here(summary)]


def _check_scope(context: NotebookContext, options: argparse.Namespace) -> None:
    if options.here and options.all:
        raise UsageError("--here and --all exclude each other; give one of them")
    if options.here and not context.front_end.notebook_path:
        raise UsageError("--here needs the path of the notebook, which this front end does not give")
