"""``%agent`` on models: which there are, and which one a session asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.models.replay_source import who_answers
from sessionmagic.notebook.commands.registry import argument, chosen, command, say
from sessionmagic.notebook.page.listing import Listing

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from sessionmagic.models.offers import Offer
    from sessionmagic.notebook.context import NotebookContext

SHOWN = 40
"""How many models are shown unless all are wanted."""


@command(
    "List the models that can be used here, the servers that run, and what a million tokens cost in dollars. "
    "Several references joined by commas are an alloy.",
    argument("words", nargs="*", help="list only what has all these words, also models that need a key or an SDK"),
    argument("--all", action="store_true", help="show all rows, also models that need a key or an SDK"),
)
def models(context: NotebookContext, options: argparse.Namespace) -> Listing[Offer]:
    from sessionmagic.sessions.choices import choices

    known, name = context.models, context.chosen_or_latest()
    known.look_around()
    sessions = context.manager.sessions
    everything = options.all or bool(options.words)
    offers = choices(sessions, known, sessions.load(name) if name else None, everything=everything)
    fitting = [offer for offer in offers if offer.fits(options.words)]
    if not fitting:
        return Listing([], COLUMNS, ["no model fits; %agent models alone lists those that can be used here"])
    shown = len(fitting) if options.all else SHOWN
    how = f"%agent models {' '.join([*options.words, '--all'])} shows all" if len(fitting) > shown else ""
    return Listing(fitting, COLUMNS, list(filter(None, [how, who_answers()])), shown)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.12g}"


def _note(offer: Offer) -> str:
    """Return what is not seen from the reference: why it is listed first, its mark, and the remark."""
    return " · ".join(filter(None, ("recent" if offer.kind == "recent" else "", offer.mark, offer.note)))


COLUMNS: dict[str, Callable[[Offer], object]] = {
    "model": lambda offer: offer.model,
    "context": lambda offer: _number(offer.context),
    "input_price": lambda offer: _number(offer.input_price),
    "output_price": lambda offer: _number(offer.output_price),
    "note": _note,
}


@command(
    "Show a session's model, or set it from the next turn on. Alone on a page, it also shows a list to choose from.",
    argument("reference", nargs="?", default="", help="a reference as in %%%%agent --model, or default"),
    argument("-a", "--agent", default="", metavar="NAME", help="whose model; default: the session's own agent"),
    argument("-s", "--session", default="", metavar="NAME", help="default: the active session, or the latest"),
)
def model(context: NotebookContext, options: argparse.Namespace) -> None:
    from sessionmagic.notebook.session_model import SessionModel
    from sessionmagic.notebook.surface import surface_of

    choice = SessionModel(context, chosen(context, options.session), options.agent)
    if options.reference:
        for line in choice.choose(options.reference).splitlines():
            say(line)
    elif surface_of(context) == "widgets" and context.front_end.kind.live:
        from sessionmagic.notebook.page.model_picker import show_picker

        show_picker(choice, choice.line())
    else:
        say(choice.line())
