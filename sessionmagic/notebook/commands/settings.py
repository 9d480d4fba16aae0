"""``%agent`` on settings and defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionmagic.notebook.captions import settings_line
from sessionmagic.notebook.commands.budgets import accounts_of_all, limit_of
from sessionmagic.notebook.commands.registry import argument, chosen, command, say
from sessionmagic.notebook.page.listing import Listing

if TYPE_CHECKING:
    import argparse

    from sessionmagic.conversation.session import Session
    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.sessions.levels import InForce


OFFERED = {
    "": "its turns offer the usual tools",
    "none": "its turns offer no tools but those of --tools",
    "kernel": "its turns offer the kernel's tools",
}


@command(
    "Show a session's settings, instructions and budget, or change them from the next turn on.",
    argument("settings", nargs="*", metavar="NAME=VALUE", help="as in %%%%agent --set; NAME= removes the setting"),
    argument("--system", as_typed=True, metavar="TEXT", help='instructions of the session; "" removes them'),
    argument("--raw", action="store_true", help="keep the instructions as typed, with no values in them"),
    argument(
        "--budget", metavar="USD", help="what all model requests of the session may cost; none removes the budget"
    ),
    argument(
        "--no-tools", dest="offers", action="store_const", const="none", help="offer no tools, as %%%%agent --no-tools"
    ),
    argument("--kernel-tools", dest="offers", action="store_const", const="kernel", help="as %%%%agent --kernel-tools"),
    argument(
        "--clear", action="store_true", help="remove all settings and the instructions first, and offer the usual tools"
    ),
    argument("-s", "--session", default="", metavar="NAME", help="default: the active session, or the latest"),
    name="set",
)
def set_settings(context: NotebookContext, options: argparse.Namespace) -> Any:
    from sessionmagic.models.settings import parsed
    from sessionmagic.notebook.prompts import filled_option

    name, sessions = chosen(context, options.session), context.manager.sessions
    changed = parsed(options.settings)
    if options.budget is not None:
        _set_budget(context, name, options.budget)
    if options.offers or (options.clear and sessions.load(name).tools):
        session = sessions.set_permissions(name, tools=options.offers or "")
        say(f"{session.name}: {OFFERED[options.offers or '']}")
    if not (changed or options.clear or options.system is not None):
        return None if options.budget is not None or options.offers else _in_force(context, sessions.load(name))
    system, values = filled_option(options.system or "", context.shell.user_ns, raw=options.raw)
    for warning in sessions.set_settings(
        name, changed, None if options.system is None else system, clear=options.clear
    ):
        say(f"⚠ {warning}")
    if values:
        say(f"values: {', '.join(values)}")
    session = sessions.load(name)
    say(f"{session.name}: {settings_line(session.settings, session.system) or 'no settings of its own'}")
    return None


def _set_budget(context: NotebookContext, name: str, typed: str) -> None:
    from sessionmagic.conversation.budget import NO_BUDGET, parsed_budget
    from sessionmagic.sessions.budgets import session_account, set_budget

    manager = context.manager
    budget = None if typed.strip().lower() == NO_BUDGET else parsed_budget(typed)
    session = set_budget(manager.sessions, manager.store, name, budget)
    say(session_account(session).state() or f"session {session.name!r} has no budget")


def _in_force(context: NotebookContext, session: Session) -> Listing[InForce]:
    """Return the settings, instructions and budgets of a session's next turn, unless it is given others."""
    from sessionmagic.sessions.levels import InForce, in_force

    entries = in_force(context.manager.sessions, session)
    settings = {each.setting: each.value for each in entries if each.setting != "system"}
    if session.tools:
        entries.append(InForce("tools", OFFERED[context.manager.sessions.trusted(session)[0].tools], "session"))
    accounts = accounts_of_all(context, session)
    entries += [InForce("budget", limit_of(account), level) for level, account in accounts.items()]
    return Listing(
        entries,
        {
            "setting": lambda entry: entry.setting,
            "value": lambda entry: entry.value,
            "level": lambda entry: entry.level,
        },
        [
            *(f"⚠ {warning}" for warning in context.manager.sessions.ignored_by_next_model(session, settings)),
            *(state for account in accounts.values() if (state := account.state())),
        ]
        if entries
        else [f"{session.name} has no settings; %agent set temperature=0 sets one"],
    )


@command("Show what is installed and set up here, without keys, for a bug report.")
def doctor(context: NotebookContext, _options: argparse.Namespace) -> Any:
    from sessionmagic.doctor import checks
    from sessionmagic.notebook.surface import described

    return Listing(
        checks(context.home),
        {"about": lambda check: check.about, "found": lambda check: check.found, "advice": lambda check: check.advice},
        described(context),
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """A default that the user can change."""

    setting: str
    value: object
    meaning: str


@command(
    "Show the defaults, where sessions are stored, and which front end was recognized; "
    "%config AgentMagics.NAME = VALUE sets a default."
)
def config(context: NotebookContext, _options: argparse.Namespace) -> Any:
    from sessionmagic.notebook.surface import described

    values = {name: getattr(context.settings, name) for name in context.settings.trait_names(config=True)}
    values["store"] = str(getattr(context.manager.store, "home", ""))
    entries = [Setting(name, value, context.settings.traits()[name].help) for name, value in sorted(values.items())]
    return Listing(
        entries,
        {
            "setting": lambda entry: entry.setting,
            "value": lambda entry: entry.value,
            "meaning": lambda entry: entry.meaning,
        },
        described(context),
    )
