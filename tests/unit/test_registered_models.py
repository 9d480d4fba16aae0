"""Any pydantic-ai model can be registered: one with fallbacks, a wrapper, or one without a profile."""

import pytest
from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError
from pydantic_ai.messages import BinaryContent, ModelResponse, TextPart, ThinkingPart, ToolCallPart
from pydantic_ai.models import Model
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.usage import RequestUsage

from sessionmagic import Models, register_model
from sessionmagic.models.abilities import address_of, context_window, profile_of
from sessionmagic.testing import ScriptedModel, call
from tests.scripted import acts
from tests.turns import on_a_loop

CALL = [("look", {})]
PROFILE = ModelProfile(supports_tools=False, supports_image_input=False, context_window=1_000)


def look():
    """Look."""
    return ["seen", BinaryContent(b"\x89PNG", media_type="image/png")]


class Unprofiled(ScriptedModel):
    """A model that has neither a profile nor an address."""

    @property
    def profile(self):
        raise AttributeError("no profile")

    @property
    def base_url(self):
        raise NotImplementedError


class NoneProfiled(ScriptedModel):
    profile = None


class Whole(Model):
    """A model that gives whole responses and cannot stream them."""

    model_name = system = "whole"

    def __init__(self, *steps):
        super().__init__()
        self.steps = list(steps)

    async def request(self, *_):
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return ModelResponse([step], usage=RequestUsage(input_tokens=5, output_tokens=2), model_name="whole")


def with_fallback(*steps):
    return FallbackModel(acts(*steps), acts("never"))


@pytest.mark.parametrize(
    "make",
    [
        with_fallback,
        lambda *steps: WrapperModel(acts(*steps)),
        lambda *steps: WrapperModel(with_fallback(*steps)),
        lambda *steps: FallbackModel(WrapperModel(acts(*steps)), acts("never")),
    ],
    ids=["fallback", "wrapper", "wrapped fallback", "fallback of wrappers"],
)
@on_a_loop
async def test_turn_runs_on_any_registered_model(manager, make):
    register_model("mine", make(CALL, "Done."))
    result = await (await manager.run("Go", session="chat", model="mine", tools=[look], yes=True)).result()
    assert (result.status, result.text) == ("completed", "Done.")


@on_a_loop
async def test_failure_of_any_registered_model_is_told(manager):
    register_model("mine", FallbackModel(ScriptedModel(RuntimeError("it broke")), ScriptedModel("never")))
    result = await (await manager.run("Go", session="chat", model="mine")).result()
    assert result.status == "failed"
    assert "it broke" in str(result.error)


@pytest.mark.parametrize("wrap", [lambda model: model, WrapperModel, lambda model: FallbackModel(model, model)])
@pytest.mark.parametrize("kind", [Unprofiled, NoneProfiled])
@on_a_loop
async def test_turn_runs_on_a_model_without_a_profile(manager, kind, wrap):
    register_model("mine", wrap(kind(call("look"), "Done.")))
    result = await (await manager.run("Go", session="chat", model="mine", tools=[look], yes=True)).result()
    assert (result.status, result.text) == ("completed", "Done.")


@pytest.mark.parametrize(
    "wrap", [lambda model: model, WrapperModel, lambda model: FallbackModel(Whole(ModelAPIError("m", "no")), model)]
)
@on_a_loop
async def test_model_that_cannot_stream_is_asked_for_whole_responses(manager, wrap):
    async def answer(_messages, _info):
        return ModelResponse([ThinkingPart("Hm."), TextPart("Hi")])

    register_model("mine", wrap(Whole(ToolCallPart("look"), TextPart("Done."))))
    result = await (await manager.run("Go", session="chat", model="mine", tools=[look], yes=True)).result()
    assert (result.status, result.text) == ("completed", "Done.")
    assert (result.usage.input_tokens, result.usage.output_tokens) == (10, 4)
    register_model("function", wrap(FunctionModel(answer)))
    turn = await manager.run("Go", session="other", model="function")
    assert (await turn.result()).text == "Hi"
    assert [type(block).__name__ for block in turn.transcript.blocks] == ["ReasoningBlock", "TextBlock"]
    assert [part["part_kind"] for part in (await turn.result()).raw_messages[-1]["parts"]] == ["thinking", "text"]


@on_a_loop
async def test_failure_of_a_model_that_cannot_stream_is_told(manager):
    register_model("mine", Whole(ModelHTTPError(400, "whole", {"message": "no such thing"})))
    result = await (await manager.run("Go", session="chat", model="mine")).result()
    assert str(result.error) == "mine: 400: no such thing"


def test_model_without_a_profile_is_taken_to_do_everything():
    for model in (Unprofiled("Hi"), NoneProfiled("Hi")):
        register_model("mine", model)
        resolved = Models().resolve("mine")
        assert (resolved.takes_tools, resolved.sees_images) == (True, True)
        assert profile_of(model) == {}
        assert context_window(model) is None
    assert address_of(Unprofiled("Hi")) is None


def test_model_with_fallbacks_can_do_what_all_of_them_can():
    able, unable = ScriptedModel("Hi"), ScriptedModel("Hi", profile=PROFILE)
    for model, expected in ((FallbackModel(able, able), True), (FallbackModel(able, WrapperModel(unable)), False)):
        register_model("mine", model)
        resolved = Models().resolve("mine")
        assert (resolved.takes_tools, resolved.sees_images) == (expected, expected)
    assert context_window(FallbackModel(able, unable)) == 1_000
