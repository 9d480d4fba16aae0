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
    fixed = {id(node.func) for node in ast.walk(expression) if isinstance(node, ast.Call) and _reads_fixed_name(node)}
    found = (_action(node, namespace) for node in ast.walk(expression) if id(node) not in fixed)
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
        case ast.Attribute(_, name) if name in FRAMES:
            return f"uses {name}"
        case ast.Name() | ast.Attribute() if _acts(_meant(node, namespace)):
            return f"uses {ast.unparse(node)}"
        case ast.Call(ast.Attribute(_, name)) if ACTING_METHODS.fullmatch(name):
            return f"calls {name}"
        case _:
            return ""


def _reads_fixed_name(call: ast.Call) -> bool:
    """Return whether a call reads an attribute by a name that stands there, as in ``getattr(x, "name")``."""
    match call:
        case ast.Call(ast.Name("getattr" | "hasattr"), [_, ast.Constant(str()), *_]):
            return True
        case _:
            return False


def _meant(node: ast.AST, namespace: Mapping[str, Any]) -> Any:
    """Return what a name means, or an attribute of a module; None for anything else, without running any code."""
    match node:
        case ast.Name(name):
            return namespace.get(name, getattr(builtins, name, None))
        case ast.Attribute(owner, name) if isinstance(module := _meant(owner, namespace), ModuleType):
            return vars(module).get(name)
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
