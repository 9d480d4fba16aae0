"""``%agent`` on models and defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionmagic.notebook.commands.registry import argument, chosen, command, say
from sessionmagic.notebook.page.listing import Listing

if TYPE_CHECKING:
    import argparse

    from sessionmagic.notebook.context import NotebookContext


@command("List the models that can be used on this machine.")
def models(context: NotebookContext, _options: argparse.Namespace) -> Any:
    offers = context.manager.models.offers()
    return Listing(offers, {"model": lambda offer: offer.reference, "": lambda offer: offer.note})


@command(
    "Show a session's model, or set it from the next turn on.",
    argument("reference", nargs="?", default="", help="a reference as in %%%%agent --model, or default"),
    argument("-s", "--session", default="", metavar="NAME", help="default: the active session, or the latest"),
)
def model(context: NotebookContext, options: argparse.Namespace) -> None:
    name = chosen(context, options.session)
    for warning in context.manager.sessions.set_model(name, options.reference) if options.reference else []:
        say(f"⚠ {warning}")
    session = context.manager.sessions.load(name)
    [summary] = [item for item in context.manager.sessions.summaries()[0] if item.id == session.id]
    say(f"{session.name}: {summary.model}{'' if session.agent_model_overrides else ' (the default)'}")


@dataclass(frozen=True, slots=True)
class Setting:
    """A default that the user can change."""

    name: str
    value: object
    help: str


@command("Show the defaults, and where sessions are stored; %config AgentMagics.NAME = VALUE sets a default.")
def config(context: NotebookContext, _options: argparse.Namespace) -> Any:
    values = {name: getattr(context.settings, name) for name in context.settings.trait_names(config=True)}
    values["store"] = str(getattr(context.manager.store, "home", ""))
    entries = [Setting(name, value, context.settings.traits()[name].help) for name, value in sorted(values.items())]
    return Listing(
        entries,
        {
            "setting": lambda entry: entry.name,
            "value": lambda entry: entry.value,
            "": lambda entry: entry.help,
        },
    )
