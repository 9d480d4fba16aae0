"""A model that is asked again when its provider has too many requests.

A hook of pydantic-ai would do this too, but with such a hook each stream is opened in another task, and begins later.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from pydantic_ai.models.wrapper import WrapperModel

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from pydantic_ai.messages import ModelMessage
    from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.tools import RunContext


class PatientModel(WrapperModel):
    """A model whose requests are made again after a wait.

    Args:
        wrapped: The model.
        wait_after: Returns the seconds to wait after an error; None if the request is not made again.
        failed: Called with the error of a request that will be made again.
        again: Called before a request is made again.
    """

    def __init__(
        self,
        wrapped: Model,
        wait_after: Callable[[Exception], float | None],
        failed: Callable[[Exception], object],
        again: Callable[[], object],
    ) -> None:
        super().__init__(wrapped)
        self._wait_after = wait_after
        self._failed = failed
        self._again = again

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Send a request, as often as it takes, and stream the response."""
        request = (messages, model_settings, model_request_parameters, run_context)
        async with AsyncExitStack() as stack:
            while True:
                try:
                    response = await stack.enter_async_context(self.wrapped.request_stream(*request))
                    break
                except Exception as error:
                    seconds = self._wait_after(error)
                    if seconds is None:
                        raise
                    self._failed(error)
                await asyncio.sleep(seconds)
                self._again()
            yield response
