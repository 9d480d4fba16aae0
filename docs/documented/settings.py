"""The traits of ``AgentMagics`` as Markdown, from the class that has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traitlets import Enum

from documented.options import marked_up
from sessionmagic.notebook.settings import Settings

if TYPE_CHECKING:
    from traitlets import TraitType


def settings() -> str:
    """Return each trait with its type, its default and its help."""
    traits = Settings.class_traits(config=True)
    return "\n\n".join(_setting(name, traits[name]) for name in vars(Settings) if name in traits)


def _setting(name: str, trait: TraitType[Any, Any]) -> str:
    return "\n".join(
        [
            f"``````{{confval}} AgentMagics.{name}",
            marked_up(trait.help),
            "",
            f"{_type(trait)}; default: `` {trait.default()!r} ``",
            "``````",
        ]
    )


def _type(trait: TraitType[Any, Any]) -> str:
    """Return the type of a trait as Python names it, or the texts that it may be."""
    if isinstance(trait, Enum):
        return ", ".join(f'`"{value}"`' for value in trait.values or ())
    python = {"Unicode": "str", "Bool": "bool", "Int": "int", "Float": "float", "Dict": "dict"}[type(trait).__name__]
    return f"`{python}`" + (" or `None`" if trait.allow_none else "")
