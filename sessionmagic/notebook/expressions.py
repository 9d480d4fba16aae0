r"""Which expressions put a value into a prompt, and which do something.

A prompt may be pasted from anywhere, and what is between ``$`` `` and `` ` `` runs in the user's kernel. So what does
something else than making a value is refused before anything runs. The check reads the expression and what its names
mean now, and runs nothing. It keeps pasted text from running unnoticed. It is no sandbox: it cannot see what a method
of an object, or a function of the user's, does.
"""

from __future__ import annotations

import ast
import builtins
import re
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Names = Mapping[str, Any]
    """What names mean; None for those that the expression itself binds."""

ACTING_BUILTINS = {
    "breakpoint", "compile", "delattr", "eval", "exec", "exit", "getattr", "globals", "hasattr", "help", "input",
    "locals", "open", "quit", "setattr", "vars",
}  # fmt: skip
"""Functions that do something, or reach any attribute. ``getattr(x, "name")`` is a value all the same."""
ACTING_MODULES = {
    "IPython", "_io", "_posixsubprocess", "asyncio", "code", "ctypes", "ftplib", "http.client", "http.server", "httpx",
    "importlib", "io", "ipykernel", "multiprocessing", "nt", "os", "pathlib", "pdb", "pickle", "posix", "pty",
    "requests", "runpy", "sessionmagic", "shutil", "signal", "smtplib", "socket", "sqlite3", "subprocess", "sys",
    "tempfile", "threading", "timeit", "urllib.request", "webbrowser",
}  # fmt: skip
"""Modules that reach files, processes, the network or this kernel. Their constants are values all the same."""
HARMLESS_FUNCTIONS = {"getcwd", "cpu_count", "getsizeof", "StringIO", "BytesIO", "PurePath", "fspath"}
"""Functions and classes of these modules that only make a value."""
ACTING_FUNCTIONS = re.compile(r"open|exec|eval|system|popen|load|dump|read_\w+|write_\w+|save\w*")
"""Names of functions of any module that open files or run code."""
ACTING_METHODS = re.compile(
    r"open|exec|system|popen|dump|read_(text|bytes)|write_\w+|save\w*|unlink|rmdir|mkdir|touch|chmod"
)
"""Names of methods of any value that open or change files, or run code."""
TEXT_METHODS = {"eval", "query"}
"""Methods that run a text, as a DataFrame's do. ``model.eval()`` has none."""
VARIABLE = "_variable_"
"""Stands in place of ``@`` in such a text, before the name of a variable."""
DUNDER = re.compile(r"\b__\w+__\b")
FRAMES = frozenset({"gi_frame", "cr_frame", "ag_frame", "tb_frame"})
"""Attributes that lead to a function's frame, and from there to everything."""


def action_of(expression: ast.AST, namespace: Names) -> str:
    """Return what an expression does besides making a value, as ``uses open``; empty if it does nothing else.

    Args:
        expression: The expression.
        namespace: The user's variables. A name means what it means there: a variable named `input` is a variable.
    """
    found = (_action(node, names) for node, names in _parts(expression, namespace))
    return next(filter(None, found), "")


def _parts(node: ast.AST, names: Names) -> Iterator[tuple[ast.AST, Names]]:
    """Yield the nodes that have to be looked at, each with what names mean there."""
    yield node, names
    children = ast.iter_child_nodes(node)
    match node:
        case ast.Lambda(parameters, body):
            yield from _parts(parameters, names)
            every = [*parameters.posonlyargs, *parameters.args, *parameters.kwonlyargs]
            own = [each.arg for each in (*every, parameters.vararg, parameters.kwarg) if each is not None]
            children, names = iter([body]), _with_own(names, own)
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            yield from _parts(node.generators[0].iter, names)  # the only part that is evaluated outside
            targets = (each for generator in node.generators for each in ast.walk(generator.target))
            names = _with_own(names, [each.id for each in targets if isinstance(each, ast.Name)])
        case ast.Attribute() if _is_known(node, names):
            return  # what it is of need not be looked at: `os.path` is harmless, though `os` is not
        case ast.Call(_, arguments) if _attribute(node):
            children = iter(arguments)
        case _:
            pass
    for child in children:
        yield from _parts(child, names)


def _with_own(names: Names, own: list[str]) -> Names:
    return {**names, **dict.fromkeys(own)}


def _action(node: ast.AST, names: Names) -> str:
    match node:
        case ast.NamedExpr():
            return "assigns a variable"
        case ast.Attribute(ctx=ast.Store()) | ast.Subscript(ctx=ast.Store()):
            return f"assigns {ast.unparse(node)}"
        case ast.Await() | ast.comprehension(is_async=1):
            return "awaits something"
        case ast.Yield() | ast.YieldFrom():
            return "yields something"
        case ast.Name(name) | ast.Attribute(_, name) | ast.Constant(str(name)) if DUNDER.search(name):
            return f"uses the special name {DUNDER.findall(name)[0]}"
        case ast.Attribute() | ast.Call() if (read := _attribute(node)) and read[1] in FRAMES:
            return f"uses {read[1]}"
        case ast.Name() | ast.Attribute() | ast.Call() if _acts(_meant(node, names)):
            return f"uses {ast.unparse(node)}"
        case ast.Call():
            return _action_of_call(node, names)
        case _:
            return ""


def _action_of_call(call: ast.Call, names: Names) -> str:
    match call.func, _attribute(call.func):
        case _, (owner, name) if isinstance(_meant(owner, names), ModuleType):
            return f"calls {name}" if ACTING_FUNCTIONS.fullmatch(name) else ""
        case _, (_, name) if ACTING_METHODS.fullmatch(name):
            return f"calls {name}"
        case _, (_, name) if name in TEXT_METHODS:
            texts = [*call.args[:1], *(each.value for each in call.keywords if each.arg in {None, "expr"})]
            return next(filter(None, (_action_of_text(name, text, names) for text in texts)), "")
        case ast.Name(name), _ if _is_imported(_meant(call.func, names)) and ACTING_FUNCTIONS.fullmatch(name):
            return f"calls {name}"
        case _:
            return ""


def _action_of_text(method: str, text: ast.expr, names: Names) -> str:
    """Return what a text does that a method such as pandas' ``df.query`` runs.

    It is Python with ``@`` before variables. A name without it is a column, unless it is called or has an attribute.
    """
    if _is_users(text, names) or (isinstance(text, ast.Constant) and not isinstance(text.value, str)):
        return ""
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    written = ["_" if _is_users(part, names) else getattr(part, "value", None) for part in parts]
    if not all(isinstance(part, str) for part in written):
        return f"calls {method} with a text that is not written out"
    try:
        tree = ast.parse("".join(map(str, written)).strip().replace("@", VARIABLE), mode="eval")
    except SyntaxError:
        return f"calls {method} with more than an expression"
    nodes = list(ast.walk(tree))
    owners = [each.func if isinstance(each, ast.Call) else getattr(each, "value", None) for each in nodes]
    used = {each.id for each in owners if isinstance(each, ast.Name)}
    meant = dict.fromkeys(each.id for each in nodes if isinstance(each, ast.Name))
    for name in meant:
        if name in used or name.startswith(VARIABLE):
            meant[name] = _meant(ast.Name(name.removeprefix(VARIABLE)), names)
    return action_of(tree, meant).replace(VARIABLE, "@")


def _is_users(node: ast.AST, names: Names) -> bool:
    """Return whether a node is a variable of the user's, also within an f-string. What it holds is not looked at."""
    match node:
        case ast.FormattedValue(value):
            return _is_users(value, names)
        case ast.Name(name):
            return names.get(name) is not None
        case _:
            return False


def _attribute(node: ast.AST) -> tuple[ast.expr, str] | None:
    """Return the object and the name if a node reads an attribute, also as ``getattr(x, "name")`` does; else None."""
    match node:
        case ast.Attribute(owner, name):
            return owner, name
        case ast.Call(ast.Name("getattr" | "hasattr"), [owner, ast.Constant(str(name)), *_]):
            return owner, name
        case _:
            return None


def _is_known(node: ast.Attribute, names: Names) -> bool:
    """Return whether a node is a constant, a function or a module in a module, such as ``sys.version``."""
    value = _meant(node, names)
    return isinstance(value, str | int | float | tuple | ModuleType) or callable(value)


def _meant(node: ast.AST, names: Names) -> Any:
    """Return what a name means, or an attribute of a module; None for anything else, without running any code."""
    match node:
        case ast.Name(name):
            return names.get(name, getattr(builtins, name, None))
        case ast.Attribute() | ast.Call() if read := _attribute(node):
            owner = _meant(read[0], names)
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
    if not isinstance(module, str) or getattr(value, "__name__", "") in HARMLESS_FUNCTIONS:
        return False
    return any(module == each or module.startswith(f"{each}.") for each in ACTING_MODULES)


def _is_imported(value: Any) -> bool:
    """Return whether a value is a function or a class of a module that has not been named as acting."""
    return callable(value) and not _acts(value) and getattr(value, "__module__", None) not in {None, "__main__"}
