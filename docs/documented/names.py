"""The public names of sessionmagic as reStructuredText, which autodoc fills in."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING

import sessionmagic
from sessionmagic import exceptions as module

if TYPE_CHECKING:
    from collections.abc import Iterator


def described(name: str) -> str:
    """Return the directive that documents a public name, such as ``sessionmagic.Session``."""
    module, _, own = name.rpartition(".")
    value = getattr(import_module(module), own)
    if inspect.isclass(value):
        kind = "autoexception" if issubclass(value, BaseException) else "autoclass"
        return f".. {kind}:: {name}\n   :members:\n"
    if inspect.isfunction(value):
        return f".. autofunction:: {name}\n"
    text = text_of_alias(own).replace("\n", "\n   ")
    return f".. py:data:: {name}\n\n   {text}\n"


def text_of_alias(name: str) -> str:
    """Return the definition of a public name that is neither a class nor a function, and the text below it."""
    home = import_module(f"sessionmagic.{sessionmagic._HOMES[name]}")
    source = inspect.getsource(home)
    for statement, following in pairwise(ast.parse(source).body):
        match statement, following:
            case (
                ast.Assign(targets=[ast.Name(id=found)]) | ast.AnnAssign(target=ast.Name(id=found)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ) if found == name:
                definition = ast.get_source_segment(source, statement) or ""
                code = "".join(f"   {line}\n" for line in definition.splitlines())
                return f"{inspect.cleandoc(text)}\n\n.. code-block:: python\n\n{code}"
    raise LookupError(f"{home.__name__}.{name} has no text below it")


def exceptions() -> Iterator[str]:
    """Return the public names of the exceptions, each after its base class."""
    yield from _below(module.SessionMagicError)


def _below(error: type[BaseException]) -> Iterator[str]:
    yield f"sessionmagic.{error.__name__}"
    for each in error.__subclasses__():
        if each.__module__ == module.__name__:
            yield from _below(each)


def exception_tree() -> str:
    """Return the tree of the exceptions as the module draws it."""
    return (module.__doc__ or "").partition("\n\n")[2]
