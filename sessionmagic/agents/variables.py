"""References to environment variables, in the places where docker-agent reads them, and nowhere else.

- ``${env.NAME}`` and ``${env.NAME || 'default'}`` in an agent's description, welcome message and commands, and in the
  address and the headers of a server.
- ``$NAME`` and ``${NAME}`` in the variables that a toolset sets, and in the headers of a model's provider.

Everything else stays as it is, such as the instruction of an agent.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.exceptions import AgentsFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sessionmagic.agents.file_agent import FileAgent
    from sessionmagic.agents.named_models import NamedProvider
    from sessionmagic.agents.toolsets import Toolset

    Environment = Mapping[str, str]

_TEMPLATE = re.compile(
    r"""\$\{\s*env\.(?P<name>[A-Za-z_]\w*)\s*(?:(?:\|\||\?\?)\s*(?:'(?P<one>[^'\n]*)'|"(?P<two>[^"\n]*)")\s*)?\}""",
    re.ASCII,
)
_SHELL = re.compile(r"\$(?:\{(?P<name>[A-Za-z_]\w*)\}|(?P<bare>[A-Za-z_]\w*))", re.ASCII)


def with_templates(text: str, environment: Environment) -> str:
    """Return a text with ``${env.NAME}`` filled in; a variable that is not set is empty."""
    return _TEMPLATE.sub(lambda found: _template_value(found, environment) or "", text)


def agent_filled_in(agent: FileAgent, environment: Environment) -> FileAgent:
    """Return an agent with the variables filled in that its description, welcome message and commands name."""
    commands = {
        name: replace(
            each,
            description=with_templates(each.description, environment),
            instruction=with_templates(each.instruction, environment),
        )
        for name, each in agent.commands.items()
    }
    return replace(
        agent,
        description=with_templates(agent.description, environment),
        welcome_message=with_templates(agent.welcome_message, environment),
        commands=commands,
    )


def toolset_filled_in(toolset: Toolset, environment: Environment) -> Toolset:
    """Return a toolset with the variables filled in that it names. Raises `AgentsFileError` if one is not set."""
    place = f"the toolset {toolset.name or toolset.command or toolset.type}"
    remote = toolset.remote
    if remote:
        remote = replace(
            remote,
            url=_needed(remote.url, _TEMPLATE, environment, place),
            headers=_all_needed(remote.headers, _TEMPLATE, environment, place),
        )
    shell = {
        name: replace(each, env=_all_needed(each.env, _SHELL, environment, f"the script {name}"))
        for name, each in toolset.shell.items()
    }
    env = _all_needed(toolset.env, _SHELL, environment, place)
    return replace(toolset, env=env, remote=remote, shell=shell)


def variables_in(headers: Mapping[str, str]) -> list[str]:
    """Return the names of the variables in the headers of a model's provider."""
    return [found["name"] or found["bare"] for text in headers.values() for found in _SHELL.finditer(text)]


def provider_filled_in(provider: NamedProvider, environment: Environment) -> NamedProvider:
    """Return a provider with the variables filled in that its headers name. Raises `AgentsFileError`."""
    place = f"the provider {provider.name}"
    return replace(provider, headers=_all_needed(provider.headers, _SHELL, environment, place))


def _all_needed(
    texts: Mapping[str, str], form: re.Pattern[str], environment: Environment, place: str
) -> dict[str, str]:
    return {name: _needed(text, form, environment, place) for name, text in texts.items()}


def _needed(text: str, form: re.Pattern[str], environment: Environment, place: str) -> str:
    """Return a text with its variables filled in, all of which must be set or have a default."""
    value_of: Callable[[re.Match[str], Environment], str | None]
    value_of = _template_value if form is _TEMPLATE else _shell_value

    def filled(found: re.Match[str]) -> str:
        value = value_of(found, environment)
        if value is None:
            name = found["name"] or found["bare"]
            raise AgentsFileError(f"{place} needs the environment variable {name}, which is not set; set it")
        return value

    return form.sub(filled, text)


def _template_value(found: re.Match[str], environment: Environment) -> str | None:
    default = next((found[group] for group in ("one", "two") if found[group] is not None), None)
    return environment.get(found["name"]) or default


def _shell_value(found: re.Match[str], environment: Environment) -> str | None:
    return environment.get(found["name"] or found["bare"])
