"""``%agent`` on comparisons: go on with an answer, vote, and reveal who answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionmagic.notebook.commands.registry import argument, chosen, command, next_turn, say

if TYPE_CHECKING:
    import argparse

    from sessionmagic.notebook.context import NotebookContext

IN = argument("-s", "--session", default="", metavar="NAME", help="default: the active session, or the latest")
COLUMN = argument("column", metavar="COLUMN", help="number, letter or model of a column")


@command(
    "Let the session go on with an answer of its latest comparison.",
    COLUMN,
    argument("--repeat", type=int, default=1, metavar="N", help="which run, if the models were asked several times"),
    argument("--model", action="store_true", help="ask the column's model from now on, with its settings"),
    IN,
)
def keep(context: NotebookContext, options: argparse.Namespace) -> None:
    name, comparisons = chosen(context, options.session), context.manager.comparisons
    turn = comparisons.keep(name, options.column, repeat=options.repeat, model=options.model)
    session = context.manager.sessions.load(name)
    hidden = turn.column is not None and turn.column.hidden
    override = session.agent_model_overrides.get(turn.agent, "the default model")
    who = f"; {'its model' if hidden else override} answers" if options.model else ""
    say(f"session {session.name!r}: {next_turn(session)}{who}")


@command(
    "Vote for the best answer of the latest comparison. A new vote replaces an old one.",
    argument(
        "choice",
        nargs="?",
        default="",
        metavar="COLUMN|tie|bad",
        help="number, letter or model of the best column; tie; bad: all are; without one, show what the votes say",
    ),
    IN,
)
def vote(context: NotebookContext, options: argparse.Namespace) -> Any:
    if not options.choice:
        return context.manager.comparisons.votes(chosen(context, options.session))
    turns = context.manager.comparisons.vote(chosen(context, options.session), options.choice)
    hidden = any(turn.column and turn.column.hidden for turn in turns)
    say(f"your vote is stored{'; %agent reveal shows who answered' if hidden else ''}")
    return None


@command("Show the latest comparison of a session, with the names of the models.", IN)
def reveal(context: NotebookContext, options: argparse.Namespace) -> Any:
    from sessionmagic.notebook.compared import closing
    from sessionmagic.notebook.judged import judge_line, stored_runs
    from sessionmagic.notebook.page.comparison import comparison_output
    from sessionmagic.notebook.surface import prose_of

    name = chosen(context, options.session)
    turns, session = context.manager.comparisons.reveal(name), context.manager.sessions.load(name)
    runs = stored_runs(session, turns)
    path = {turn.id for turn in session.path()}
    line = "\n".join(filter(None, [judge_line(turns), closing(runs, session.name, turns[0].vote, path)]))
    comparison_output(runs, session.name, line, prose=prose_of(context)).display()
