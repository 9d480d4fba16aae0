"""The model of a turn as it is asked: with the tools that it may call and that its provider takes."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models.wrapper import WrapperModel

from sessionmagic.models.abilities import learn_no_tools, learn_refused_tool, refuses_tool, takes_tools
from sessionmagic.tools.schemas import mended
from sessionmagic.turns.provider_words import is_too_long
from sessionmagic.turns.run_history import RunHistory

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from pydantic_ai.messages import ModelMessage
    from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.tools import RunContext, ToolDefinition


REFUSING = (400, 404, 405, 422, 500, 501)
"""The HTTP statuses with which servers refuse a request because of its tools."""
NO_TOOLS = re.compile(
    r"""
      (not|n't|no\ endpoints\ found\ that)\ (\w+\ )?support\w*\W+((?!in\b|with\b|parallel|multiple)\w+\W+){0,2}
      (tools?\b|tool_|function\ ?call)
    | (?<!with\ )(tools?|function|calling|tool_choice)\b\W+((?!reasoning|thinking)\w+\W+){0,4}?
      (not|n't|un)\W?(yet\ )?(supported|enabled|available)
    | tool\ choice\ requires\ --enable-auto-tool-choice
    | tools?\ param\ requires\ --jinja
    | (unrecognized|unknown|unsupported|unexpected)\ [\w ]*(argument|parameter|field|keyword)[\w ]*\W+tools\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""How servers say that a model takes no tools: Ollama, OpenRouter, vLLM, llama.cpp, Google, Groq, Together and more."""
ABOUT_A_CALL = re.compile(r"tool[ _]calls?\b|did not match schema", re.IGNORECASE)
"""How servers refuse a call that the model has made. They name its tool, too."""
NUMBERED_TOOL = re.compile(r"\btools[.\[](\d+)")
"""How servers name the tool that they refuse: ``tools[0].function.parameters`` or ``tools.0.custom.input_schema``."""


class AskedModel(WrapperModel):
    """A model for one model request, which may be continued.

    If the provider refuses the request because the model takes no tools, it is asked once more without them, and if it
    refuses one tool, without that one. The process remembers both (`models.abilities`).

    Args:
        wrapped: The model.
        reference: Its reference, for warnings.
        offers: Returns whether the tool of a name may be offered.
        count: Called before each request that continues a response, as pydantic-ai counts only the first.
        warn: Called with each warning.
        tell: Called with the messages of each request, and with the tools that it offers; None if it takes none.

    Attributes:
        history: The history of the run, which is shortened once if the provider refuses it as too long.
    """

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        wrapped: Model,
        reference: str,
        offers: Callable[[str], bool],
        count: Callable[[], object],
        warn: Callable[[str], object],
        tell: Callable[[list[ModelMessage], list[ToolDefinition] | None], object] = lambda *_: None,
    ) -> None:
        super().__init__(wrapped)
        self._tell = tell
        self._reference = reference
        self._offers = offers
        self._count = count
        self._warn = warn
        self.history = RunHistory()
        self._asked = False

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Ask the model, as pydantic-ai does for each response and for each continuation of one."""
        if self._asked and not self._polls(messages):
            self._count()
        self._asked = True
        parameters = self._offered(model_request_parameters)
        self._tell(messages, parameters.function_tools if takes_tools(self.wrapped) else None)
        lessons: list[Callable[[], None]] = []
        async with AsyncExitStack() as stack:
            while True:
                try:
                    stream = await stack.enter_async_context(
                        self.wrapped.request_stream(messages, model_settings, parameters, run_context)
                    )
                except ModelAPIError as error:
                    if await self._is_shortened(messages, error):
                        continue
                    kept = self._without_refused(parameters.function_tools, error, lessons)
                    if kept is None:
                        raise
                    parameters = replace(parameters, function_tools=kept)
                else:
                    break
            for learn in lessons:  # only now it is certain that the tools were the reason
                learn()
            yield stream

    async def _is_shortened(self, messages: list[ModelMessage], error: ModelAPIError) -> bool:
        """Shorten the history if the provider has refused it as too long; return whether that was done.

        A response that is being continued is not asked for again.
        """
        if isinstance(messages[-1], ModelResponse) or not is_too_long(error):
            return False
        return await self.history.shorten()

    def _polls(self, messages: list[ModelMessage]) -> bool:
        """Return whether a request only asks whether a job has ended, rather than let the model write on."""
        last = messages[-1]
        return isinstance(last, ModelResponse) and self.wrapped.continuation_delay(last) is not None

    def _offered(self, parameters: ModelRequestParameters) -> ModelRequestParameters:
        if not parameters.function_tools:
            return parameters
        offered = [
            replace(tool, parameters_json_schema=mended(tool.parameters_json_schema))
            for tool in parameters.function_tools
            if self._offers(tool.name) and not refuses_tool(self.wrapped, tool)
        ]
        return replace(parameters, function_tools=offered if takes_tools(self.wrapped) else [])

    def _without_refused(
        self, tools: list[ToolDefinition], error: ModelAPIError, lessons: list[Callable[[], None]]
    ) -> list[ToolDefinition] | None:
        """Return the tools without those that the provider has refused; None if it has refused something else.

        What is to be learned from it, if the provider takes the request without them, is added to `lessons`.
        """
        words = str(error)
        if not tools or (isinstance(error, ModelHTTPError) and error.status_code not in REFUSING):
            return None
        if NO_TOOLS.search(words):
            lessons.append(partial(learn_no_tools, self.wrapped))
            names = ", ".join(tool.name for tool in tools)
            self._warn(f"{self._reference} takes no tools, so it was asked without {names}")
            return []
        refused = _refused_tool(tools, words)
        if refused is None:
            return None
        lessons.append(partial(learn_refused_tool, self.wrapped, refused))
        self._warn(f"the provider of {self._reference} refuses the tool {refused.name}, so it was asked without it")
        return [tool for tool in tools if tool is not refused]


def _refused_tool(tools: list[ToolDefinition], words: str) -> ToolDefinition | None:
    """Return the tool whose definition an error is about, if it is about one."""
    if ABOUT_A_CALL.search(words) or not re.search(r"schema|parameters|function|tool", words, re.IGNORECASE):
        return None
    for tool in sorted(tools, key=lambda tool: -len(tool.name)):
        if re.search(rf"""(?:function|tool)\w*[\s:]+['"`]?{re.escape(tool.name)}(?![\w-])""", words, re.IGNORECASE):
            return tool
    number = NUMBERED_TOOL.search(words)
    return tools[int(number[1])] if number and int(number[1]) < len(tools) else None
