"""What is measured: this package, chatlas and a plain print, each as the cells of a notebook."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from typing import ClassVar

_number = count(1)
left_out: set[Subject] = set()
"""Subjects that are not measured in this process."""


@dataclass(frozen=True)
class Subject:
    """A setup cell, and a cell that asks a model of the scripted server and shows the answer while it arrives."""

    name: ClassVar[str]
    needs: ClassVar[str]

    def setup(self, url: str) -> str:
        raise NotImplementedError

    def ask(self, model: str) -> str:
        raise NotImplementedError

    @property
    def missing(self) -> str:
        """Why the subject cannot be measured; empty when it can."""
        if self in left_out:
            return "left out"
        return "" if find_spec(self.needs) else f"{self.needs} is not installed"


class SessionMagic(Subject):
    name, needs = "sessionmagic", "sessionmagic"

    def setup(self, url: str) -> str:
        return f'%load_ext sessionmagic\n%config AgentMagics.endpoints = {{"bench": "{url}"}}'

    def ask(self, model: str) -> str:
        return f"%%agent -m bench:{model} -s benchmark-{next(_number)}\nWhat spoils a churn model?"


class WithoutWidgets(SessionMagic):
    name = "sessionmagic, view display"

    def setup(self, url: str) -> str:
        return f'{super().setup(url)}\n%config AgentMagics.view = "display"'


class Chatlas(Subject):
    name, needs = "chatlas", "chatlas"

    def setup(self, url: str) -> str:
        return (
            "from chatlas import ChatOpenAICompletions\n"
            f"def ask(model): return ChatOpenAICompletions(base_url='{url}', model=model, api_key='none')"
        )

    def ask(self, model: str) -> str:
        return f"ask('{model}').chat('What spoils a churn model?');"


class Print(Subject):
    name, needs = "print", "openai"

    def setup(self, url: str) -> str:
        return (
            "from openai import OpenAI\n"
            f"client = OpenAI(base_url='{url}', api_key='none')\n"
            "def ask(model):\n"
            "    prompt = [{'role': 'user', 'content': 'What spoils a churn model?'}]\n"
            "    for chunk in client.chat.completions.create(model=model, messages=prompt, stream=True):\n"
            "        print(chunk.choices and chunk.choices[0].delta.content or '', end='')"
        )

    def ask(self, model: str) -> str:
        return f"ask('{model}')"


OURS, CHATLAS, PRINT = SessionMagic(), Chatlas(), Print()
WITHOUT_WIDGETS = WithoutWidgets()
RIVALS = (CHATLAS, PRINT)
