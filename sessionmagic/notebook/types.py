"""The type that ``--type`` names: its value among the user's variables, and the names that complete it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import PromptError, UsageError
from sessionmagic.notebook.prompts import value_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionmagic.turns.output_type import OutputType

BUILT_IN = ("list[str]", "list[int]", "dict[str, str]", "bool", "int", "float")
"""What completion offers besides the user's own types."""


def type_of(expression: str, namespace: Mapping[str, Any]) -> OutputType:
    """Return the type that an expression names. Raises `UsageError`."""
    from sessionmagic.turns.output_type import WANTED, output_type

    needs = f"--type needs a type, {WANTED}"
    try:
        return output_type(value_of("--type", expression, namespace, "not a type"))
    except PromptError as error:
        raise UsageError(f"{needs}; {str(error).removeprefix('--type: ')}") from error
    except UsageError as error:
        raise UsageError(f"{needs}; {str(error).removesuffix(f'; give one {WANTED}')}") from error


def type_names(namespace: Mapping[str, Any]) -> list[str]:
    """Return the names of the user's own types, then some built-in ones."""
    from sessionmagic.turns.output_type import is_type

    own = [name for name, value in namespace.items() if not name.startswith("_") and is_type(value)]
    return [*own, *BUILT_IN]
