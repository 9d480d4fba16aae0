"""The tools of the type ``script``: each is a command of the agents file, which gets its arguments as variables.

Each one asks, as code does, and an approval shows the command. An argument never becomes part of the command's text.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import ToolError
from sessionmagic.loop import in_thread
from sessionmagic.tools.functions import NAME, Tool
from sessionmagic.tools.patterns import searcher
from sessionmagic.tools.schemas import checking_libraries, without_patterns
from sessionmagic.tools.toolsets.command import Command, shell_command
from sessionmagic.tools.toolsets.shell import SECONDS, place_of
from sessionmagic.tools.toolsets.variables import NAME as VARIABLE
from sessionmagic.words import printable, shortened, suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionmagic.agents.toolsets import Script
    from sessionmagic.tools.toolsets.surroundings import Surroundings
    from sessionmagic.tools.toolsets.variables import Variables

LONGEST = 100_000
"""Characters of an argument. Systems do not take much longer variables."""
_READ_BY_PROGRAMS = re.compile(
    r"(?:LD|DYLD|BASH|GIT|SSH|NODE|JAVA|SESSIONMAGIC)_\w+|PYTHON[A-Z]+|PERL5?[A-Z]{2,3}|RUBY[A-Z]{3}"
    r"|PATH|ENV|IFS|CDPATH|HOME|SHELL|SHELLOPTS|PS[0-4]|PROMPT_COMMAND|EDITOR|VISUAL|PAGER|TMPDIR|ZDOTDIR"
)
"""Variables that make programs run something else. A model must not be able to set them."""


class ScriptTool:
    """A command as a tool.

    Args:
        name: The name of the tool.
        script: The command and its arguments.
        surroundings: Where it runs.
        variables: What the agents file sets for it.

    Raises `ToolError` if it cannot be a tool.
    """

    def __init__(self, name: str, script: Script, surroundings: Surroundings, variables: Variables) -> None:
        self._name = name
        self._script = script
        self._surroundings = surroundings
        self._variables = variables
        if not NAME.fullmatch(name):
            raise ToolError(f"{shortened(name)!r} is not a valid name of a script; use A-Z, a-z, 0-9, _ and -")
        self.schema = schema_of(name, script)

    @property
    def tool(self) -> Tool:
        """The tool."""

        async def run(**args: Any) -> str:
            return await self._run(args)

        async def preview(**args: Any) -> str:
            await in_thread(self._checked, args)
            return self._shown()

        run.__doc__ = self._script.description or f"Run {shortened(self._script.cmd)}"
        return Tool(name=self._name, function=run, runs_code=True, source="script", schema=self.schema, preview=preview)

    async def _run(self, args: Mapping[str, Any]) -> str:
        checked = await in_thread(self._checked, args)
        environment = self._variables.environment(self._surroundings.store, self._name, checked)
        place = place_of(self._surroundings, self._script.working_dir or ".")
        command = await Command.started(shell_command(self._script.cmd), place, environment)
        return await command.finished(SECONDS, self._surroundings.reporting)

    def _shown(self) -> str:
        where = f"in {self._script.working_dir} " if self._script.working_dir else ""
        return "\n".join([f"runs {where}the command", self._script.cmd.strip("\n"), *self._variables.lines])

    def _checked(self, args: Mapping[str, Any]) -> dict[str, str]:
        """Return the arguments as variables. Raises `ToolError` for those that the script does not take."""
        if problem := mismatch(args, self.schema):
            raise ToolError(problem)
        return {name: _text(name, value) for name, value in args.items() if value is not None}


def schema_of(name: str, script: Script) -> dict[str, Any]:
    """Return the JSON schema of a script's arguments. Raises `ToolError` for one that no model may set."""
    properties: dict[str, Any] = {}
    for argument, about in script.args.items():
        if not isinstance(about, dict):
            raise ToolError(
                f"the argument {shortened(argument)!r} of {name} is not a mapping; give type and description"
            )
        if not VARIABLE.fullmatch(argument) or _READ_BY_PROGRAMS.fullmatch(argument):
            problem = "cannot be an argument, because it is a variable that programs read"
            raise ToolError(f"{shortened(argument)!r} of {name} {problem}; rename it")
        properties[argument] = about if "type" in about else {"type": "string", **about}
    required = list(script.args) if script.required is None else list(script.required)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def mismatch(args: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """Return in which way arguments do not fit a schema, on one line; empty if they fit."""
    properties = schema["properties"]
    if not args and not schema["required"]:
        return ""
    for name, value in args.items():
        if name not in properties:
            return f"there is no argument {shortened(name)!r}{suggestion(name, properties)}"
        pattern = properties[name].get("pattern")
        if isinstance(pattern, str) and not (isinstance(value, str) and searcher(pattern)(value)):
            return f"{name} does not fit the pattern {shortened(pattern)}"
    validator_for, registry, ValidationError = checking_libraries()  # noqa: N806  a class
    plain = without_patterns(schema)
    try:
        validator_for(plain)(plain, registry=registry()).validate(dict(args))  # an empty registry: nothing is fetched
    except ValidationError as error:
        place = "".join(f"{part}: " for part in error.absolute_path)
        return shortened(printable(" ".join(f"{place}{error.message}".split())), 300)
    except Exception as error:  # noqa: BLE001  a schema that is not valid may raise anything
        return f"the schema of the arguments is not valid ({type(error).__name__}); correct the agents file"
    return ""


def _text(name: str, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if "\0" in text or len(text) > LONGEST:
        raise ToolError(f"{name} has a null character, or more than {LONGEST:,} characters; shorten it")
    return text
