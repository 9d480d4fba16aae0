"""A model whose requests are charged to accounts. Every request of a model goes through one of these."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from pydantic_ai.messages import ModelResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.usage import RequestUsage

from sessionmagic.conversation.usage import Usage, dollars
from sessionmagic.exceptions import TurnLimitError, UsageError
from sessionmagic.models.members import members_of
from sessionmagic.turns.model_requests import ModelRequests, may_have_been_answered, usage_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Sequence

    from pydantic_ai.messages import ModelMessage
    from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.tools import RunContext

    from sessionmagic.models.resolved import ResolvedModel
    from sessionmagic.turns.account import Account


class ChargedModel(WrapperModel):
    """A model that is asked only while the budgets of the accounts allow it, and whose usage is added to them.

    A request that a budget refuses raises `TurnLimitError`, and one whose price is not known `UsageError`.

    Args:
        wrapped: The model that is asked.
        model: The model that is asked for this request, of which `wrapped` may be one member.
        accounts: The accounts, that of the session first.
        refused: Called with the account whose budget has refused a request.
        requests: Records the requests. It forgets those that were refused, or stopped while they waited for others,
            and leaves out how long they waited.
    """

    def __init__(
        self,
        wrapped: Model,
        model: ResolvedModel,
        accounts: Sequence[Account],
        refused: Callable[[Account], object] = lambda _: None,
        requests: ModelRequests | None = None,
    ) -> None:
        super().__init__(wrapped)
        self._model = model
        self._accounts = accounts
        self._refused = refused
        self._requests = requests or ModelRequests()

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Send a request, and return the response."""
        async with self._charging() as charge:
            response = await self.wrapped.request(messages, model_settings, model_request_parameters)
            charge(response)
            return response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Send a request, and stream the response. It is charged when it has ended, whole or not."""
        async with (
            self._charging() as charge,
            self.wrapped.request_stream(messages, model_settings, model_request_parameters, run_context) as response,
        ):
            try:
                yield response
            finally:
                charge(response.get())

    @asynccontextmanager
    async def _charging(self) -> AsyncGenerator[Callable[[ModelResponse], None]]:
        """Make one request within the block, which calls the result with the response."""
        charged = False

        def add(usage: Usage) -> None:
            nonlocal charged
            charged = True
            for account in self._accounts:
                account.add(usage, self._model.reference)

        async with AsyncExitStack() as open_accounts:
            began = time.monotonic()
            try:
                for account in self._accounts:
                    require_price(self._model, account)
                for account in self._accounts:
                    with self._telling(account):
                        await open_accounts.enter_async_context(account.request())
            except BaseException:
                self._requests.withdraw()
                raise
            self._requests.delay(time.monotonic() - began)
            try:
                yield lambda response: add(usage_of(response, self._model.price))
            except BaseException as error:
                if not charged and may_have_been_answered(error):
                    add(Usage(unmeasured_requests=1))
                raise

    @contextmanager
    def _telling(self, account: Account) -> Generator[None]:
        try:
            yield
        except TurnLimitError:
            self._refused(account)
            raise


def require_price(model: ResolvedModel, account: Account, budget: float | None = None) -> None:
    """Raise `UsageError` if there is a budget, and what the model, or a member of it, costs is not known.

    Args:
        model: The model.
        account: The account to which its requests are charged.
        budget: The budget to set; None for that of the account.
    """
    budget = account.budget if budget is None else budget
    if budget is None:
        return
    for each in model.each:
        if each.price is None and ({each.reference, model.reference} & account.without_price or not has_price(each)):
            raise UsageError(
                f"{each.reference} has no known price, so {account.owner} cannot keep to its budget of "
                f"{dollars(budget)}; give one in dollars for a million input and a million output tokens: "
                f'%config AgentMagics.prices = {{"{each.reference}": [INPUT, OUTPUT]}}, or Models(prices=…) in a script'
            )


def has_price(model: ResolvedModel) -> bool:
    """Return whether what a single model costs is known before it is asked."""
    return model.price is not None or all(_is_listed(member) for member in members_of(model.model))


def _is_listed(model: Model) -> bool:
    probe = ModelResponse(
        parts=[],
        usage=RequestUsage(input_tokens=1, output_tokens=1),
        model_name=model.model_name,
        provider_name=model.system,
        provider_url=model.base_url,
    )
    return usage_of(probe).cost is not None
