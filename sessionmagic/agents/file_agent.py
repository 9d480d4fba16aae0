"""The agents of an agents file."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sessionmagic.agents.named_models import members
from sessionmagic.agents.nodes import fail
from sessionmagic.agents.readers import (
    anything_named,
    check_name,
    duration,
    flag,
    list_of,
    number,
    one_of,
    reference,
    references,
    seconds,
    text,
    texts,
    whole,
)
from sessionmagic.agents.records import Record, key, read_record, record
from sessionmagic.agents.toolsets import Toolset, read_toolset
from sessionmagic.models.references import NAMED_IN_A_LINE

if TYPE_CHECKING:
    from sessionmagic.agents.nodes import Node
    from sessionmagic.agents.records import Reading

SAFETIES = ("strict", "balanced", "restricted", "autonomous")
RETRIES, COOLDOWN = 2, 60.0
"""What docker-agent does when a fallback does not say it."""


def read_retries(reading: Reading, node: Node, path: str) -> int:
    """Return how often a model is asked again: docker-agent's 0 means its default, and -1 means never."""
    return {0: RETRIES, -1: 0}.get(count := int(whole(-1)(reading, node, path)), count)


def read_cooldown(reading: Reading, node: Node, path: str) -> float:
    """Return a number of seconds: docker-agent's 0 means its default."""
    return seconds(reading, node, path) or COOLDOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback(Record):
    """The models that are asked when an agent's own fails."""

    models: tuple[str, ...] = key(references, ())
    retries: int = key(read_retries, RETRIES, write=lambda count: count or -1)
    """How often each is asked again after an error that may pass."""
    cooldown: float = key(read_cooldown, COOLDOWN, write=duration)
    """The seconds for which a fallback that has answered is asked first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget(Record):
    """What may be spent; None where there is no limit."""

    max_cost: float | None = key(number(0), None)
    """Dollars."""
    max_tokens: int | None = key(whole(0), None)
    max_time: float | None = key(seconds, None, write=duration)
    """Seconds of work."""


def read_budget(reading: Reading, node: Node, path: str) -> Budget:
    """Return a budget. A number stands for a budget of that many dollars."""
    if isinstance(node.value, dict):
        return read_record(Budget, reading, node, path)
    return Budget(max_cost=number(0)(reading, node, path), lines={"max_cost": node.line})


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(Record):
    """A prompt that has a name."""

    description: str = key(text)
    instruction: str = key(text)

    @property
    def prompt(self) -> str:
        """What is asked."""
        return self.instruction or self.description


def read_command(reading: Reading, node: Node, path: str) -> Command:
    """Return a named prompt, which may be no more than its text."""
    is_text = not isinstance(node.value, dict | list)
    found = Command(instruction=text(reading, node, path)) if is_text else read_record(Command, reading, node, path)
    if not found.prompt:
        fail(reading.where, node.line, f"{path} has no instruction; give the prompt that it stands for")
    return found


def read_commands(reading: Reading, node: Node, path: str) -> dict[str, Command]:
    """Return named prompts, which are a mapping, or a list of mappings."""
    entries = [node] if isinstance(node.value, dict) else node.value
    found: dict[str, Command] = {}
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry.value, dict):
            reading.wrong(entry, path, "a mapping of names to prompts, or a list of such mappings")
        for name, each in entry.value.items():
            check_name(reading, each, name, "a command")
            if name in found:
                fail(reading.where, each.line, f"there are two commands {name!r}; rename one")
            found[name] = read_command(reading, each, f"{path}.{name}")
    if not isinstance(entries, list):
        reading.wrong(node, path, "a mapping of names to prompts, or a list of such mappings")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class StructuredOutput(Record):
    """The form of an agent's answers."""

    name: str = key(text)
    description: str = key(text)
    schema: dict[str, Any] = key(anything_named, dict)
    """A JSON schema."""
    strict: bool = key(flag, False)


def read_structured_output(reading: Reading, node: Node, path: str) -> StructuredOutput:
    """Return the form of an agent's answers."""
    found = read_record(StructuredOutput, reading, node, path)
    if not found.name or not found.schema:
        missing = "schema" if found.name else "name"
        fail(reading.where, node.line, f"{path} has no {missing}; give the name and the JSON schema of the answer")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAgent(Record):
    """An agent as its file has it."""

    name: str
    model: str = key(reference)
    """A reference or the name of a model; several joined by commas (an alloy); ``""`` for the default model."""
    description: str = key(text)
    instruction: str = key(text)
    instruction_file: tuple[str, ...] = key(texts, ())
    toolsets: tuple[Toolset, ...] = key(list_of(read_toolset), ())
    sub_agents: tuple[str, ...] = key(texts, ())
    handoffs: tuple[str, ...] = key(texts, ())
    commands: dict[str, Command] = key(read_commands, dict)
    welcome_message: str = key(text)
    max_iterations: int = key(whole(0), 0)
    """0 for no limit of its own."""
    fallback: Fallback | None = key(record(Fallback), None)
    structured_output: StructuredOutput | None = key(read_structured_output, None)
    add_date: bool = key(flag, False)
    add_environment_info: bool = key(flag, False)
    add_prompt_files: tuple[str, ...] = key(texts, ())
    safety: str = key(one_of(SAFETIES))
    readonly: bool = key(flag, False)
    code_mode_tools: bool = key(flag, False)
    """Whether the model calls its tools from code, which it does not do here."""
    budget: Budget | None = key(read_budget, None)
    budgets: tuple[str, ...] = key(texts, ())
    """The names of budgets of the file."""

    @property
    def references(self) -> tuple[str, ...]:
        """The references of its model; several are the members of an alloy."""
        return members(self.model)


def read_agents(reading: Reading, node: Node, path: str) -> dict[str, FileAgent]:
    """Return agents by name, in the order of the file: of a mapping, or of a list whose entries have a name."""
    if isinstance(node.value, list):
        entries = [_entry(reading, each, f"{path}[{number}]") for number, each in enumerate(node.value)]
    elif isinstance(node.value, dict):
        entries = list(node.value.items())
    else:
        reading.wrong(node, path, "a mapping of names to agents")
    found: dict[str, FileAgent] = {}
    for name, each in entries:
        check_name(reading, each, name, "an agent")
        if name in found:
            fail(reading.where, each.line, f"there are two agents {name!r}; rename one")
        if not re.fullmatch(NAMED_IN_A_LINE, name):
            advice = "rename it without blanks and = : / , or set its model with %agent model REF -a NAME"
            reading.warn(each.line, f"--model AGENT=REF cannot name the agent {name!r}; {advice}")
        found[name] = _agent(reading, each, f"{path}.{name}", name)
    if not found:
        fail(reading.where, node.line, f"{path} is empty; write at least one agent")
    return found


def _entry(reading: Reading, node: Node, path: str) -> tuple[str, Node]:
    """Return the name of an agent in a list, and its other keys."""
    if not isinstance(node.value, dict) or "name" not in node.value:
        fail(reading.where, node.line, f"{path} has no name; write name: and the agent's keys")
    name = text(reading, node.value["name"], f"{path}.name")
    return name, replace(node, value={key: each for key, each in node.value.items() if key != "name"})


def _agent(reading: Reading, node: Node, path: str, name: str) -> FileAgent:
    if node.value is None:
        return FileAgent(name=name)
    agent = read_record(FileAgent, reading, node, path, name=name)
    if agent.instruction and agent.instruction_file:
        line = agent.lines.get("instruction_file")
        fail(reading.where, line, f"{path} has both instruction and instruction_file; give one of them")
    return agent
