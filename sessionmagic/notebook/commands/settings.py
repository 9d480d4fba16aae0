"""``%agent`` on models and defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionmagic.notebook.commands.registry import argument, chosen, command, say
from sessionmagic.notebook.page.listing import Listing

if TYPE_CHECKING:
    import argparse

    from sessionmagic.notebook.magics import AgentMagics


@command("List the model references that can be used on this machine.")
def models(magics: AgentMagics, _options: argparse.Namespace) -> Any:
    offers = magics.manager.models.offers()
    return Listing(offers, {"model": lambda offer: offer.reference, "": lambda offer: offer.note})


@command(
    "Show the session's model, or set it from the next turn on; default takes it back.",
    argument("reference", nargs="?", default=""),
    argument("-s", "--session", default=""),
)
def model(magics: AgentMagics, options: argparse.Namespace) -> None:
    name = chosen(magics, options.session)
    for warning in magics.manager.sessions.set_model(name, options.reference) if options.reference else []:
        say(f"⚠ {warning}")
    session = magics.manager.sessions.load(name)
    [summary] = [item for item in magics.manager.sessions.summaries()[0] if item.id == session.id]
    say(f"{session.name}: {summary.model}{'' if session.agent_model_overrides else ' (the default)'}")


@dataclass(frozen=True, slots=True)
class Setting:
    """A default of the magics."""

    name: str
    value: object
    help: str


@command("Show the defaults and where sessions live; %config AgentMagics.NAME = VALUE sets one.")
def config(magics: AgentMagics, _options: argparse.Namespace) -> Any:
    values = {name: getattr(magics, name) for name in magics.trait_names(config=True)}
    values["store"] = str(getattr(magics.manager.store, "home", ""))
    entries = [Setting(name, value, magics.traits()[name].help) for name, value in sorted(values.items())]
    return Listing(
        entries,
        {
            "setting": lambda entry: entry.name,
            "value": lambda entry: entry.value,
            "": lambda entry: entry.help,
        },
    )
