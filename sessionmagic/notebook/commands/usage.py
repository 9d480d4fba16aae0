"""``%agent usage``: what sessions have used, in tokens and dollars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.usage import Usage, total
from sessionmagic.exceptions import SessionMagicError, UsageError
from sessionmagic.notebook.commands.registry import SESSION, argument, command
from sessionmagic.notebook.figures import counted_tokens, input_tokens, money, output_tokens
from sessionmagic.notebook.page.listing import Listing
from sessionmagic.sessions.usage import BY, By, UsageEntry, usage_by
from sessionmagic.words import counted, shortened, suggestion

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from sessionmagic.conversation.session import Session
    from sessionmagic.notebook.context import NotebookContext

COLUMNS: dict[str, Callable[[UsageEntry], object]] = {
    "session": lambda entry: entry.session,
    "turn": lambda entry: entry.turn,
    "agent": lambda entry: entry.agent,
    "model": lambda entry: entry.model,
    "day": lambda entry: entry.day,
    "turns": lambda entry: entry.turns,
    "requests": lambda entry: entry.requests,
    "input_tokens": input_tokens,
    "output_tokens": output_tokens,
    "cost": money,
}
SHOWN: dict[By, tuple[str, ...]] = {
    "turn": ("turn", "model", "requests", "input_tokens", "output_tokens", "cost"),
    "request": ("turn", "agent", "model", "input_tokens", "output_tokens", "cost"),
    "agent": ("agent", "turns", "requests", "input_tokens", "output_tokens", "cost"),
    "model": ("model", "turns", "requests", "input_tokens", "output_tokens", "cost"),
    "day": ("day", "turns", "requests", "input_tokens", "output_tokens", "cost"),
    "session": ("session", "turns", "requests", "input_tokens", "output_tokens", "cost"),
}
"""The columns that are shown for each division. The frame has all."""


@command(
    "Show what a session has used, and all together: turns, model requests, tokens and cost.",
    SESSION,
    argument("--by", default="", metavar="WHAT", help=f"what each row is for: {', '.join(BY)}; default: model"),
    argument("--all", action="store_true", help="divide up what all sessions have used"),
)
def usage(context: NotebookContext, options: argparse.Namespace) -> Any:
    from sessionmagic.sessions.budgets import session_account
    from sessionmagic.turns.account import KERNEL

    by = _by(options.by)
    if options.all and options.session:
        raise UsageError("--all is for all sessions; leave the name out")
    name = "" if options.all else context.chosen_or_latest(options.session)
    if not name:
        problems: list[str] = []
        entries = usage_by(_loaded(context, problems), by)
        notes, accounts = [f"⚠ {problem}" for problem in problems], [KERNEL]
    else:
        session = context.manager.sessions.load(name)
        entries = usage_by([session], by)
        named = f"session {session.name!r}; %agent usage NAME shows another"
        notes = [] if options.session else [named, *_all_together(context)]
        accounts = [session_account(session), KERNEL]
    shown = SHOWN[by]
    if not name and "turn" in shown:
        shown = ("session", *(column for column in shown if column not in {"agent", "requests"}))  # fits a narrow page
    used = total(entries)
    sums = [f"in all: {counted_tokens(used)}, cost {money(used)}"] if len(entries) > 1 else []
    budgets = [state for account in accounts if (state := account.state())]
    if not entries:
        notes = [_nothing(session) if name else "no model requests were made here yet", *notes]
    return Listing(entries, {name: COLUMNS[name] for name in shown}, [*sums, *notes, *budgets])


def _nothing(session: Session) -> str:
    """Return that a session has made no model requests, and what is with the turns that it was copied with."""
    copied = sum(bool(turn.origin and turn.requests) for turn in session.turns)
    if not copied:
        return "no model requests yet"
    return f"no model requests of its own yet; those of its {counted(copied, 'copied turn')} count where they were made"


def _all_together(context: NotebookContext) -> list[str]:
    """Return a note of what all sessions have used; empty if there is only one."""
    summaries, _ = context.manager.sessions.summaries()
    used = total(
        Usage(
            input_tokens=each.input_tokens,
            output_tokens=each.output_tokens,
            unmeasured_requests=each.unmeasured_requests,
            unpriced_requests=each.unpriced_requests,
            cost=each.cost,
        )
        for each in summaries
    )
    if len(summaries) == 1:
        return []
    return [f"all {len(summaries):,} sessions: {counted_tokens(used)}, cost {money(used)}; --all divides this up"]


def _by(typed: str) -> By:
    by = next((each for each in BY if each == (typed or "model")), None)
    if by is None:
        raise UsageError(f"--by {shortened(typed)!r} is not known{suggestion(typed, BY, 'give ' + ', '.join(BY))}")
    return by


def _loaded(context: NotebookContext, problems: list[str]) -> Iterator[Session]:
    """Yield the sessions one after the other, the oldest first. What cannot be read is added to `problems`."""
    from sessionmagic.storage.progress import told

    summaries, unreadable = context.manager.sessions.summaries()
    problems += unreadable
    for summary in told(reversed(summaries), "reading sessions", len(summaries)):
        try:
            yield context.manager.sessions.load(summary.id)
        except SessionMagicError as error:  # deleted or damaged meanwhile
            problems.append(str(error))
