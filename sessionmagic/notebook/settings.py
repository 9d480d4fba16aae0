"""The defaults, which a user changes with ``%config AgentMagics`` or with ``c.AgentMagics`` in a config file."""

from __future__ import annotations

from math import inf
from typing import Any

from traitlets import Bool, Dict, Enum, Float, HasTraits, Int, TraitError, Unicode, validate

from sessionmagic.conversation.budget import checked_budget
from sessionmagic.exceptions import ToolError, UsageError
from sessionmagic.tools.tool_code import refuse_tools

LEAST_LIMIT = 100


class Settings(HasTraits):
    """The traits of the magics that can be configured.

    Not a `Configurable` itself: traitlets would then read them from a section ``c.Settings`` too.
    """

    model = Unicode("local", help="Default model of sessions without an override.").tag(config=True)
    system = Unicode("", help="Instructions for turns that have none by --system or %agent set.").tag(config=True)
    model_settings = Dict(
        help="Settings of turns that have no others by --set or %agent set, such as {'temperature': 0, 'seed': 7}."
    ).tag(config=True)
    agents_md = Bool(
        True, help="Let the file AGENTS.md beside the notebook, if there is one, join the instructions of all agents."
    ).tag(config=True)
    session = Unicode(
        "",
        help="Session for cells without --session, until %agent use or --new chooses another; empty: a new session, "
        "named after the notebook.",
    ).tag(config=True)
    sessions_shown = Enum(
        ["all", "here"],
        "all",
        help="Which sessions lists, the search and completion show. here: those of this notebook, as in a "
        "presentation; --all shows all.",
    ).tag(config=True)
    store = Unicode(
        "", help="Directory where sessions are stored; empty: $SESSIONMAGIC_HOME, or the user data directory."
    ).tag(config=True)
    endpoints = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        help="OpenAI-compatible servers, name to base URL. NAME:model asks one; its key is read from NAME_API_KEY.",
    ).tag(config=True)
    prices = Dict(
        key_trait=Unicode(),
        help="What models cost: PROVIDER or PROVIDER:model to [dollars for a million input tokens, dollars for "
        "a million output tokens]. Known prices are replaced.",
    ).tag(config=True)
    context_limits = Dict(
        key_trait=Unicode(),
        value_trait=Int(min=1),
        help="How many tokens models can read: PROVIDER or PROVIDER:model to tokens. Older turns are summarized when "
        "90 % of that is used. Known limits are replaced; those of your own servers are unknown.",
    ).tag(config=True)
    budget = Float(
        None,
        allow_none=True,
        help="What all model requests of this kernel may cost in dollars; further ones are refused. None: no budget.",
    ).tag(config=True)
    replay = Unicode(
        "",
        help="A session, or a file of %agent record, whose recorded answers all cells get, whatever model they name; "
        "empty: models answer.",
    ).tag(config=True)
    replay_mode = Enum(
        ["strict", "fill"],
        "strict",
        help="What happens with a request that AgentMagics.replay does not have. strict: the turn fails, and nothing "
        "uses the network; fill: the model that the cell names answers, and its answer is added to the recording.",
    ).tag(config=True)
    rerun = Enum(
        ["branch", "append"],
        "branch",
        help="What happens when a cell runs again. branch: its new turn takes the place of its old one, which stays "
        "stored; append: its new turn continues the session.",
    ).tag(config=True)
    value_limit = Int(
        20_000,
        min=LEAST_LIMIT,
        help="Most characters of a value in a prompt, as --value-limit; of a table, columns and rows are left out.",
    ).tag(config=True)
    fresh = Bool(
        False, help="Start each session anew at its first cell of this kernel, as --fresh does; old turns stay stored."
    ).tag(config=True)
    reuse = Bool(
        False, help="Show the stored answer of a cell instead of asking, if nothing has changed, as --reuse does."
    ).tag(config=True)
    titles = Bool(
        False,
        help="Let the model of a session's first turn make its title from what you typed: one more short request, "
        "counted in %agent usage. If not, the title is the first words of the prompt.",
    ).tag(config=True)
    timeout = Float(0, min=0, help="Seconds after which a turn fails; 0: never.").tag(config=True)
    safety = Enum(
        ["strict", "balanced", "restricted", "autonomous"],
        "balanced",
        help="What a new session does with tool calls that no rule covers. strict: ask before each; balanced: run "
        "read-only calls, ask before the rest; restricted: run read-only calls, deny the rest; autonomous: run all.",
    ).tag(config=True)
    approval = Enum(
        ["auto", "buttons", "stdin"],
        "auto",
        help="Where tool calls ask for approval. buttons: under the cell, if ipykernel is 7 or newer; stdin: at an "
        "input prompt; auto: with buttons if they can be clicked while the cell runs, else on stdin.",
    ).tag(config=True)
    kernel_tools = Bool(True, help="Offer the tools that inspect this notebook and run code in it.").tag(config=True)
    request_limit = Int(50, min=1, help="Maximum number of model requests in one turn.").tag(config=True)
    tool_call_limit = Int(50, min=1, help="Maximum number of tool calls in one turn.").tag(config=True)
    refresh_hz = Float(10, min=0.5, max=30, help="Maximum updates of a streaming answer per second.").tag(config=True)
    view = Enum(
        ["auto", "widgets", "display", "text", "static"],
        "auto",
        help="How a turn is shown. widgets: live, with buttons; display: live, as outputs without widgets, for slides "
        "and for front ends that have none; text: plain, as it streams; static: only the finished answer; auto: "
        "widgets in a notebook, display where the page refuses them, text in a terminal or console (in a terminal with "
        "rich, as Markdown), static in a headless run.",
    ).tag(config=True)

    presentation = Bool(
        False,
        help="Show turns in large type, the footer legible, and in lists only the sessions of this notebook.",
    ).tag(config=True)

    @validate("prices")
    def _check_prices(self, proposal: dict[str, Any]) -> dict[str, list[float]]:
        return {name: _price(name, price) for name, price in proposal["value"].items()}

    @validate("safety", "approval", "store", "kernel_tools", "request_limit", "tool_call_limit")
    def _refuse_tools(self, proposal: dict[str, Any]) -> Any:
        """Refuse a change of what tool calls may do if code of such a call makes it."""
        try:
            refuse_tools(f"set {proposal['trait'].name}")
        except ToolError as error:
            raise TraitError(str(error)) from None
        return proposal["value"]

    @validate("budget")
    def _check_budget(self, proposal: dict[str, Any]) -> float | None:
        try:
            refuse_tools("set budget")
            return None if proposal["value"] is None else checked_budget(proposal["value"])
        except (ToolError, UsageError) as error:
            raise TraitError(str(error)) from None

    @validate("model_settings")
    def _check_settings(self, proposal: dict[str, Any]) -> dict[str, Any]:
        from sessionmagic.models.settings import checked, given

        try:
            return given(checked(proposal["value"]))
        except UsageError as error:
            raise TraitError(f"the 'model_settings' trait cannot be set: {error}") from None


def _price(name: str, price: Any) -> list[float]:
    """Return a price as two numbers. Raises `TraitError` for anything else, which would make costs wrong."""
    match price:
        case [int() | float() as for_input, int() | float() as for_output] if all(0 <= each < inf for each in price):
            return [float(for_input), float(for_output)]
        case _:
            raise TraitError(
                f"the price of {name!r} is {price!r}; write [dollars for a million input tokens, dollars for a million "
                "output tokens]"
            )
