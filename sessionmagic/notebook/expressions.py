r"""Which expressions put a value into a prompt, and which do something.

A prompt may be pasted from anywhere, and what is between ``$`` `` and `` ` `` runs in the user's kernel. So what does
something else than making a value is refused before anything runs. This is no sandbox: a method of an object, or a
function of the user's, may do anything.
"""

from __future__ import annotations

import ast
import builtins
import re
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ACTING_BUILTINS = {
    "breakpoint", "compile", "delattr", "eval", "exec", "exit", "getattr", "globals", "hasattr", "help", "input",
    "locals", "open", "quit", "setattr", "vars",
}  # fmt: skip
"""Functions that do something, or reach any attribute. ``getattr(x, "name")`` is a value all the same."""
ACTING_MODULES = {
    "IPython", "_io", "asyncio", "code", "ctypes", "ftplib", "http", "httpx", "importlib", "io", "ipykernel",
    "multiprocessing", "nt", "os", "pathlib", "pickle", "posix", "pty", "requests", "runpy", "sessionmagic",
    "shutil", "signal", "smtplib", "socket", "sqlite3", "subprocess", "sys", "tempfile", "threading", "urllib",
    "webbrowser",
}  # fmt: skip
"""Modules that reach files, processes, the network or this kernel, so that nothing in them is a mere value."""
ACTING_METHODS = re.compile(r"open|exec|eval|system|popen|load|dump|read_\w+|write_\w+|save\w*")
"""Names of methods and functions of modules that open files or run code."""
DUNDER = re.compile(r"\b__\w+__\b")
FRAMES = frozenset({"gi_frame", "cr_frame", "ag_frame", "tb_frame"})
"""Attributes that lead to a function's frame, and from there to everything."""


def action_of(expression: ast.Expression, namespace: Mapping[str, Any]) -> str:
    """Return what an expression does besides making a value, as ``uses open``; empty if it does nothing else.

    Args:
        expression: The expression.
        namespace: The user's variables. A name means what it means there: a variable named `input` is a variable.
    """
    nodes = list(ast.walk(expression))
    harmless = {id(node.func) for node in nodes if isinstance(node, ast.Call) and _attribute(node)}  # getattr, hasattr
    harmless |= {id(node.value) for node in nodes if isinstance(node, ast.Attribute) and _is_constant(node, namespace)}
    found = (_action(node, namespace) for node in nodes if id(node) not in harmless)
    return next(filter(None, found), "")


def _action(node: ast.AST, namespace: Mapping[str, Any]) -> str:
    match node:
        case ast.NamedExpr():
            return "assigns a variable"
        case ast.Await() | ast.comprehension(is_async=1):
            return "awaits something"
        case ast.Yield() | ast.YieldFrom():
            return "yields something"
        case ast.Name(name) | ast.Attribute(_, name) | ast.Constant(str(name)) if DUNDER.search(name):
            return f"uses {DUNDER.findall(name)[0]}"
        case ast.Attribute() | ast.Call() if (read := _attribute(node)) and read[1] in FRAMES:
            return f"uses {read[1]}"
        case ast.Name() | ast.Attribute() | ast.Call() if _acts(_meant(node, namespace)):
            return f"uses {ast.unparse(node)}"
        case ast.Call(called) if (read := _attribute(called)) and ACTING_METHODS.fullmatch(read[1]):
            return f"calls {read[1]}"
        case _:
            return ""


def _attribute(node: ast.AST) -> tuple[ast.expr, str] | None:
    """Return the object and the name if a node reads an attribute, also as ``getattr(x, "name")`` does; else None."""
    match node:
        case ast.Attribute(owner, name):
            return owner, name
        case ast.Call(ast.Name("getattr" | "hasattr"), [owner, ast.Constant(str(name)), *_]):
            return owner, name
        case _:
            return None


def _is_constant(node: ast.Attribute, namespace: Mapping[str, Any]) -> bool:
    """Return whether an attribute is a constant of a module, such as ``sys.version``."""
    return isinstance(node.value, ast.Name) and isinstance(_meant(node, namespace), str | int | float | tuple)


def _meant(node: ast.AST, namespace: Mapping[str, Any]) -> Any:
    """Return what a name means, or an attribute of a module; None for anything else, without running any code."""
    match node:
        case ast.Name(name):
            return namespace.get(name, getattr(builtins, name, None))
        case ast.Attribute() | ast.Call() if read := _attribute(node):
            owner = _meant(read[0], namespace)
            return vars(owner).get(read[1]) if isinstance(owner, ModuleType) else None
        case _:
            return None


def _acts(value: Any) -> bool:
    # Looked up now, as IPython and ipykernel replace some of them.
    if any(value is vars(builtins)[name] for name in ACTING_BUILTINS if name in vars(builtins)):
        return True
    if not (isinstance(value, ModuleType) or callable(value)):
        return False
    module = getattr(value, "__name__" if isinstance(value, ModuleType) else "__module__", None)
    return isinstance(module, str) and module.partition(".")[0] in ACTING_MODULES
