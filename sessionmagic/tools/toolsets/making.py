"""Make the tools of an agent's toolsets, as an agents file has them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.agents.powers import connecting
from sessionmagic.agents.variables import toolset_filled_in
from sessionmagic.exceptions import ToolError
from sessionmagic.tools.functions import Tool
from sessionmagic.tools.toolsets.agent_servers import server_of
from sessionmagic.tools.toolsets.fetch import Fetch
from sessionmagic.tools.toolsets.file_reading import FileReading
from sessionmagic.tools.toolsets.file_writing import FileWriting
from sessionmagic.tools.toolsets.made import Made
from sessionmagic.tools.toolsets.memory import Memory, place_of_memory
from sessionmagic.tools.toolsets.post_edit import PostEdits
from sessionmagic.tools.toolsets.script import ScriptTool
from sessionmagic.tools.toolsets.shell import Shell
from sessionmagic.tools.toolsets.think import think
from sessionmagic.tools.toolsets.todo import Todos
from sessionmagic.tools.toolsets.user_prompt import UserPrompt
from sessionmagic.tools.toolsets.variables import Variables
from sessionmagic.words import printable, shortened, suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from sessionmagic.agents.toolsets import Toolset
    from sessionmagic.tools.toolsets.agent_servers import AgentServer
    from sessionmagic.tools.toolsets.surroundings import Surroundings

ORIGINAL = "{ORIGINAL_INSTRUCTIONS}"
"""What stands for docker-agent's own instructions in those of a toolset. Ours are in the tools."""


def tools_of(toolset: Toolset, surroundings: Surroundings) -> Made:
    """Return the tools of one toolset.

    Raises:
        ToolError: The toolset cannot be used, for example because only Docker's gateway runs it.
        AgentsFileError: It names an environment variable that is not set.
    """
    filled = toolset_filled_in(toolset, surroundings.environment)
    instruction = toolset.instruction.replace(ORIGINAL, "").strip()
    instructions = (instruction,) if instruction else ()
    if toolset.type == "mcp":
        server = server_of(filled, surroundings)
        if connecting(toolset) not in surroundings.confirmed:  # the agents file tells that
            return Made()
        return Made(servers=(server,), instructions=instructions)
    if toolset.type not in _MAKERS:
        raise ToolError(f"there are no tools of the type {shortened(printable(toolset.type))!r}")
    tools = [replace(each, source=toolset.type) for each in _MAKERS[toolset.type](filled, toolset, surroundings)]
    names = [each.name for each in tools]
    warnings = [
        f"the toolset {toolset.type} has no tool {shortened(printable(name))!r}{suggestion(name, names)}"
        for name in toolset.tools
        if name not in names
    ]
    offered = [
        each
        for each in tools
        if (not toolset.tools or each.name in toolset.tools) and (each.read_only or not surroundings.read_only)
    ]
    return Made(tools=tuple(offered), instructions=instructions if offered else (), warnings=tuple(warnings))


def tools_of_agent(toolsets: Iterable[Toolset], surroundings: Surroundings, taken: Collection[str] = ()) -> Made:
    """Return the tools of all toolsets of an agent. Each name is that of one tool, and so is each rule for it.

    A toolset that cannot be used is left out with a warning.

    Args:
        toolsets: The toolsets, as `agents.use.toolsets_of` returns them.
        surroundings: What the tools work with.
        taken: The names of the turn's other tools, which no tool of a file replaces.

    Raises `AgentsFileError` if a toolset names an environment variable that is not set.
    """
    tools: dict[str, Tool] = {}
    servers: dict[str, AgentServer] = {}
    instructions: list[str] = []
    warnings: list[str] = []
    for toolset in toolsets:
        if toolset.needs_gateway:
            continue  # which the notes of the agent say
        try:
            made = tools_of(toolset, surroundings)
        except ToolError as error:
            warnings.append(f"the toolset {shortened(printable(toolset.name or toolset.type))} is not offered: {error}")
            continue
        for each in made.tools:
            if each.name in tools or each.name in taken:
                warnings.append(
                    f"the tool {each.name} of the toolset {toolset.type} is left out: another one has its name"
                )
            tools.setdefault(each.name, each)
        for server in made.servers:
            named = replace(server, name=_free_name(server.name, servers))
            servers[named.name] = named
        instructions += made.instructions
        warnings += made.warnings
    kept = [each for each in tools.values() if each.name not in taken]
    return Made(
        tools=tuple(kept), servers=tuple(servers.values()), instructions=tuple(instructions), warnings=tuple(warnings)
    )


def _free_name(name: str, used: Collection[str]) -> str:
    number = 2
    free = name
    while free in used:
        free, number = f"{name[:60]}-{number}", number + 1
    return free


def _filesystem(toolset: Toolset, _: Toolset, surroundings: Surroundings) -> Sequence[Tool]:
    folder = surroundings.folder
    reading = FileReading(folder, ignores_vcs=toolset.ignore_vcs is not False)
    afterwards = PostEdits(toolset.post_edit, surroundings, Variables({}, {}))
    writing = FileWriting(folder, afterwards)
    looks = (
        reading.read_file,
        reading.read_multiple_files,
        reading.list_directory,
        reading.directory_tree,
        reading.search_files_content,
    )
    runs_code = bool(toolset.post_edit)
    return [
        *(Tool(name=each.__name__, function=each, read_only=True) for each in looks),
        Tool(
            name="write_file",
            function=writing.write_file,
            preview=writing.write_preview,
            runs_code=runs_code,
            alone=True,
        ),
        Tool(
            name="edit_file", function=writing.edit_file, preview=writing.edit_preview, runs_code=runs_code, alone=True
        ),
        Tool(name="create_directory", function=writing.create_directory, alone=True),
        Tool(name="remove_directory", function=writing.remove_directory, alone=True),
    ]


def _shell(toolset: Toolset, written: Toolset, surroundings: Surroundings) -> Sequence[Tool]:
    shell = Shell(surroundings, Variables(toolset.env, written.env))
    return [
        Tool(name="shell", function=shell.shell, runs_code=True, preview=shell.preview),
        Tool(name="run_background_job", function=shell.run_background_job, runs_code=True, preview=shell.preview),
        Tool(name="list_background_jobs", function=shell.list_background_jobs, read_only=True),
        Tool(name="view_background_job", function=shell.view_background_job, read_only=True),
        Tool(name="stop_background_job", function=shell.stop_background_job),
    ]


def _script(toolset: Toolset, written: Toolset, surroundings: Surroundings) -> Sequence[Tool]:
    made = []
    for name, script in toolset.shell.items():
        shown = {**written.env, **written.shell[name].env}
        variables = Variables({**toolset.env, **script.env}, shown)
        made.append(ScriptTool(name, script, surroundings, variables).tool)
    return made


def _think(_: Toolset, __: Toolset, ___: Surroundings) -> Sequence[Tool]:
    return [Tool(name="think", function=think, read_only=True)]


def _todo(toolset: Toolset, _: Toolset, surroundings: Surroundings) -> Sequence[Tool]:
    todos = Todos(surroundings.own, "" if toolset.shared else surroundings.agent)
    functions = (todos.create_todo, todos.create_todos, todos.update_todos, todos.list_todos)
    # The list is the agent's own, so changing it needs no approval, as in docker-agent.
    return [Tool(name=each.__name__, function=each, read_only=True, alone=True) for each in functions]


def _memory(toolset: Toolset, _: Toolset, surroundings: Surroundings) -> Sequence[Tool]:
    memory = Memory(place_of_memory(toolset.path, surroundings))
    looks = (memory.get_memories, memory.search_memories)
    acts = (memory.add_memory, memory.update_memory, memory.delete_memory)
    return [
        *(Tool(name=each.__name__, function=each, read_only=True) for each in looks),
        *(Tool(name=each.__name__, function=each, alone=True) for each in acts),
    ]


def _fetch(toolset: Toolset, _: Toolset, surroundings: Surroundings) -> Sequence[Tool]:
    return [Tool(name="fetch", function=Fetch(toolset.timeout, local=surroundings.local_addresses).fetch)]


def _user_prompt(_: Toolset, __: Toolset, surroundings: Surroundings) -> Sequence[Tool]:
    return [Tool(name="user_prompt", function=UserPrompt(surroundings.ask).user_prompt, read_only=True, alone=True)]


_MAKERS: dict[str, Callable[[Toolset, Toolset, Surroundings], Sequence[Tool]]] = {
    "filesystem": _filesystem,
    "shell": _shell,
    "script": _script,
    "think": _think,
    "todo": _todo,
    "memory": _memory,
    "fetch": _fetch,
    "user_prompt": _user_prompt,
}
