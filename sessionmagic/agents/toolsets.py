"""The toolsets of agents, and the MCP servers that an agents file defines for several of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sessionmagic.agents.nodes import fail
from sessionmagic.agents.readers import (
    anything,
    anything_named,
    dict_of,
    flag,
    list_of,
    listed,
    named,
    reference,
    text,
    texts,
    whole,
)
from sessionmagic.agents.records import NotUnderstood, Record, follows, key, read_record, record
from sessionmagic.words import shortened, suggestion

if TYPE_CHECKING:
    from sessionmagic.agents.nodes import Node
    from sessionmagic.agents.records import Reading

COMMON = frozenset({"type", "tools", "instruction", "model", "defer", "toon"})
TYPES = {
    "mcp": frozenset({"command", "args", "env", "ref", "remote", "config", "version", "name"}),
    "filesystem": frozenset({"ignore_vcs", "post_edit"}),
    "shell": frozenset({"env"}),
    "think": frozenset(),
    "todo": frozenset({"shared"}),
    "fetch": frozenset({"timeout"}),
    "memory": frozenset({"path"}),
    "script": frozenset({"shell", "env"}),
    "user_prompt": frozenset(),
}
"""The types of toolsets, with the keys that each has beside the common ones."""
GATEWAY = "docker:"
"""The beginning of a reference to a server in Docker's catalog, which Docker's gateway runs."""
SOURCES = ("command", "remote", "ref")


def put_off(reading: Reading, node: Node, path: str) -> bool | tuple[str, ...]:
    """Return whether all tools, or which ones, are offered only when the model looks for them."""
    return flag(reading, node, path) if isinstance(node.value, bool) else texts(reading, node, path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote(Record):
    """The address of an MCP server."""

    url: str = key(text)
    transport_type: str = key(text)
    headers: dict[str, str] = key(dict_of(text), dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostEdit(Record):
    """A command that runs when a file has been edited whose path matches a glob."""

    path: str = key(text)
    cmd: str = key(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script(Record):
    """A command that is a tool."""

    cmd: str = key(text)
    description: str = key(text)
    args: dict[str, Any] = key(anything_named, dict)
    """The properties of the JSON schema of its arguments."""
    required: tuple[str, ...] | None = key(texts, None)
    env: dict[str, str] = key(dict_of(text), dict)
    working_dir: str = key(text)


def read_script(reading: Reading, node: Node, path: str) -> Script:
    """Return a script of a toolset."""
    script = read_record(Script, reading, node, path)
    if not script.cmd:
        fail(reading.where, node.line, f"{path} has no cmd; give the command that it runs")
    for name in script.required or ():
        if name not in script.args:
            problem = f"{path} requires {shortened(name)!r}, which is not among its args"
            fail(reading.where, script.lines.get("required"), problem + suggestion(name, script.args, "add it there"))
    return script


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolset(Record):
    """A toolset. Which keys it may have depends on its type."""

    type: str = key(text)
    tools: tuple[str, ...] = key(texts, ())
    """The only tools that are offered; empty for all."""
    instruction: str = key(text)
    model: str = key(reference)
    """The model that is asked after a call of these tools."""
    defer: bool | tuple[str, ...] = key(put_off, False)
    toon: str = key(text)
    """Which tools' results are written as TOON."""
    command: str = key(text)
    args: tuple[str, ...] = key(texts, ())
    env: dict[str, str] = key(dict_of(text), dict)
    ref: str = key(text)
    """``docker:NAME``, or the name of one of the file's MCP servers."""
    remote: Remote | None = key(record(Remote), None)
    config: Any = key(anything, None)
    version: str = key(text)
    name: str = key(text)
    ignore_vcs: bool | None = key(flag, None)
    post_edit: tuple[PostEdit, ...] = key(list_of(record(PostEdit)), ())
    shared: bool = key(flag, False)
    timeout: int | None = key(whole(1), None)
    """Seconds."""
    path: str = key(text)
    shell: dict[str, Script] = key(named(read_script, "a script"), dict)

    @property
    def is_understood(self) -> bool:
        """Whether this is one of our types."""
        return self.type in TYPES

    @property
    def needs_gateway(self) -> bool:
        """Whether this is an MCP server that only Docker's gateway runs."""
        return self.ref.startswith(GATEWAY)


def read_toolset(reading: Reading, node: Node, path: str) -> Toolset:
    """Return a toolset of an agent. One whose type we do not have keeps all its keys, as they are."""
    if not isinstance(node.value, dict):
        reading.wrong(node, path, "a mapping such as {type: shell}")
    kind_node = node.value.get("type")
    if kind_node is None or kind_node.value is None:
        fail(reading.where, node.line, f"{path} has no type; give {listed(tuple(TYPES))}")
    kind = text(reading, kind_node, f"{path}.type")
    if kind not in TYPES:
        problem = f"{path} is of type {shortened(kind)}, which is not understood"
        reading.warn(kind_node.line, f"{problem}; {follows(path)}{suggestion(kind, TYPES)}")
        others = tuple(
            NotUnderstood(path, name, each.plain, line=each.line) for name, each in node.value.items() if name != "type"
        )
        unknown = NotUnderstood(path, "type", kind, "type", kind_node.line)
        return Toolset(type=kind, not_understood=(unknown, *others))
    toolset = read_record(Toolset, reading, node, path, only=COMMON | TYPES[kind])
    if kind == "mcp":
        _check_source(reading, node, path, toolset)
    return toolset


def read_server(reading: Reading, node: Node, path: str) -> Toolset:
    """Return an MCP server of the file's ``mcps``, as a toolset."""
    toolset = read_record(Toolset, reading, node, path, only=COMMON | TYPES["mcp"])
    if toolset.type not in {"", "mcp"}:
        fail(reading.where, toolset.lines.get("type"), f"{path} is of type {shortened(toolset.type)!r}; it must be mcp")
    _check_source(reading, node, path, toolset)
    if toolset.ref and not toolset.needs_gateway:
        fail(reading.where, toolset.lines.get("ref"), f"{path}.ref names no server of Docker; write {GATEWAY}NAME")
    return replace(toolset, type="mcp")


def _check_source(reading: Reading, node: Node, path: str, toolset: Toolset) -> None:
    given = [name for name in SOURCES if getattr(toolset, name)]
    if len(given) != 1:
        found = "has none of command, remote and ref" if not given else f"has both {given[0]} and {given[1]}"
        fail(reading.where, node.line, f"{path} {found}; give one of them")
    if toolset.remote and not toolset.remote.url:
        fail(reading.where, toolset.lines.get("remote"), f"{path}.remote has no url; give the server's address")


def with_definition(toolset: Toolset, definition: Toolset) -> Toolset:
    """Return an agent's toolset with what the definition of its MCP server says, where it says nothing itself."""
    given = {
        name: getattr(definition, name)
        for name in (*TYPES["mcp"], *COMMON)
        if name not in {"type", "ref", "env"} and not getattr(toolset, name)
    }
    others = (*toolset.not_understood, *definition.not_understood)
    env = {**definition.env, **toolset.env}
    return replace(toolset, **given, ref=definition.ref, env=env, not_understood=others)
