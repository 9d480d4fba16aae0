"""The defaults that a user can change, with ``%config AgentMagics`` or ``c.AgentMagics`` in a config file."""

from __future__ import annotations

from traitlets import Bool, Dict, Enum, Float, HasTraits, Int, Unicode


class Settings(HasTraits):
    """The configurable traits of the magics. Not itself a `Configurable`: config files know them as AgentMagics."""

    model = Unicode("local", help="Model that answers when a session has none of its own.").tag(config=True)
    session = Unicode("", help="Session of cells without --session; empty: the kernel's own.").tag(config=True)
    store = Unicode("", help="Directory of the sessions; empty: SESSIONMAGIC_HOME or the user's data.").tag(config=True)
    endpoints = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        help="OpenAI-compatible servers: name to base URL. NAME:model asks one, with the key in NAME_API_KEY.",
    ).tag(config=True)
    timeout = Float(0, min=0, help="Seconds after which a turn fails; 0: never.").tag(config=True)
    safety = Enum(
        ["strict", "balanced", "restricted", "autonomous"],
        "balanced",
        help="What a new session does with tool calls: strict asks for all, balanced for those that may change "
        "something, restricted denies those, autonomous runs all.",
    ).tag(config=True)
    approval = Enum(
        ["auto", "buttons", "stdin"],
        "auto",
        help="How tool calls are asked for. auto: buttons where they can be clicked while the cell runs.",
    ).tag(config=True)
    kernel_tools = Bool(True, help="Offer the tools that look at this notebook and run code in it.").tag(config=True)
    request_limit = Int(50, min=1, help="Model requests that one turn may make.").tag(config=True)
    tool_call_limit = Int(50, min=1, help="Tool calls that one turn may make.").tag(config=True)
    refresh_hz = Float(10, min=0.5, max=30, help="How often a growing answer is shown, per second.").tag(config=True)
    view = Enum(
        ["auto", "widgets", "text", "static"],
        "auto",
        help="How a turn is shown. auto: widgets in a notebook, static when nobody watches, text in a terminal.",
    ).tag(config=True)
