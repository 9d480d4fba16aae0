"""The one line in which each failure of a provider, of the network or of the environment is told."""

import asyncio
import json
import re
import ssl
import time

import pytest
from pydantic_ai.exceptions import (
    ContentFilterError,
    FallbackExceptionGroup,
    ModelConnectionError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelRequestTimeout,
    UnexpectedModelBehavior,
    UserError,
)
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from sessionmagic import MemoryStore, Models, SessionManager, register_model
from sessionmagic.exceptions import ModelReferenceError, TurnTimeoutError
from sessionmagic.models.clients import is_loopback
from sessionmagic.turns.failures import failure
from tests.clock import on_a_clock, passes
from tests.provider import ScriptedProvider, answers, call_delta, calls, never_answers, refuses, replies, streams
from tests.turns import events_of, on_a_loop, until

MODEL = "lab:some-model"


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("LAB_API_KEY", "sk-lab-0123456789abcdef")
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)


def manager_at(url):
    return SessionManager(MemoryStore(), Models("test", endpoints={"lab": url}))


async def ask(url, model=MODEL):
    turn = await manager_at(url).run("Hello", session="chat", model=model)
    await events_of(turn)
    return turn, await turn.result()


async def error_of(script, url=lambda provider: provider.url):
    """Return the error of a turn whose provider answers with this script."""
    with ScriptedProvider(script) as provider:
        turn, result = await ask(url(provider))
    assert [text for text in turn.transcript.warnings if "switched back" not in text] == []
    return str(result.error).replace(provider.url.removesuffix("/v1"), "URL")


def line_of(raised):
    return str(failure(MODEL, raised)[1])


def error(status, body, **headers):
    return replies(json.dumps(body), status=status, **headers)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (replies("404 page not found", "text/plain", 404), "404: page not found"),
        (error(404, {"detail": "Not Found"}), "404: Not Found"),
        (replies("<html><title>404 Not Found</title>", "text/html", 404), "404: Not Found"),
        (replies("<html><h1>no</h1>", "text/html", 405), "405: a web page"),
        (replies("", "text/plain", 404), "404: Not Found"),
    ],
)
@on_a_loop
async def test_address_that_the_server_does_not_know_may_lack_the_version(script, reason):
    line = await error_of(script, lambda provider: provider.url.removesuffix("/v1"))
    words = "the server does not know the address URL; check the base URL, which may lack /v1"
    assert line == f"{MODEL}: {words} ({reason})"


@on_a_loop
async def test_wrong_address_with_a_version_is_not_said_to_lack_one():
    line = await error_of(replies("404 page not found", "text/plain", 404))
    words = "the server does not know the address URL/v1/; check the base URL"
    assert line == f"{MODEL}: {words} (404: page not found)"


@pytest.mark.parametrize(
    "message",
    ["The model `some-model` does not exist.", "model 'some-model' not found", "No endpoints found for some-model."],
)
@on_a_loop
async def test_model_that_the_provider_does_not_have_is_told_from_a_wrong_address(message):
    line = await error_of(refuses(404, message))
    assert line == f"{MODEL}: the provider does not have this model; check its name (404: {message})"


@pytest.mark.parametrize(
    "body",
    [
        {"message": "the request exceeds the available context size", "type": "exceed_context_size_error"},
        {"message": "request (9000 tokens) exceeds the available context size (4096 tokens), try increasing it"},
        {"message": "The number of tokens to keep from the initial prompt is greater than the context length."},
        {"message": "Please reduce the length of the messages or completion.", "code": "context_length_exceeded"},
        {"message": "This model's maximum context length is 4096 tokens. However, you requested 9000 tokens."},
        {"message": "The decoder prompt (length 9000) is longer than the maximum model length of 4096."},
        {"message": "the input length exceeds the context length"},
        {"message": "prompt too long; exceeded max context length by 12 tokens"},
        {"message": "The input token count (9000) exceeds the maximum number of tokens allowed (4096)."},
        {"message": "prompt is too long: 208310 tokens > 200000 maximum"},
        {"message": "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"},
        {"message": "Your input exceeds the context window of this model."},
        {"message": "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum"},
    ],
    ids=lambda body: body["message"][:40],
)
@on_a_loop
async def test_full_context_has_the_same_advice_in_the_words_of_every_server(body):
    line = await error_of(error(400, {"error": {"type": "invalid_request_error", **body}}))
    advice = "shorten the prompt, let %agent compact summarize what was said before, or start a new session with --new"
    assert line == f"{MODEL}: the conversation is longer than the model can read; {advice} (400: {body['message']})"


@on_a_loop
async def test_request_that_is_too_large_for_a_minute_is_to_be_shortened():
    message = "Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 7000."
    assert "shorten the prompt" in await error_of(error(413, {"error": {"message": message}}))


@pytest.mark.parametrize(("status", "place"), [(302, "/login"), (307, "https://lab.example/v1/")])
@on_a_loop
async def test_redirection_names_the_place(status, place):
    line = await error_of(replies("", status=status, location=place))
    assert line == f"{MODEL}: the server redirects requests for URL/v1/ to {place}; check the base URL"


@on_a_loop
async def test_empty_answer_is_called_one():
    line = await error_of(answers())
    words = "the answer was empty, also when the model was asked again; change the prompt, or choose another model"
    assert line == f"{MODEL}: {words}"


@pytest.mark.parametrize("script", [replies("<html>Welcome</html>", "text/html"), streams(finish=None, done=False)])
@on_a_loop
async def test_stream_of_the_responses_api_without_an_event_is_called_an_empty_answer(monkeypatch, script):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    with ScriptedProvider(script) as provider:
        monkeypatch.setenv("OPENAI_BASE_URL", provider.url)
        _, result = await ask(provider.url, model="openai:gpt-5.2")
    words = f"the answer was empty; ask again, or check the base URL {provider.url}/"
    assert str(result.error) == f"openai:gpt-5.2: {words}"


@on_a_loop
async def test_blank_answer_has_a_warning():
    with ScriptedProvider(answers("\n", " ")) as provider:
        turn, result = await ask(provider.url)
    assert result.status == "completed"
    assert turn.transcript.warnings == ("the answer is blank; ask again, or choose another model",)


@on_a_loop
async def test_refusal_is_told_in_the_words_of_the_model():
    line = await error_of(streams({"refusal": "I can't help "}, {"refusal": "with that."}))
    assert line == f"{MODEL}: the model refused to answer; change the prompt (I can't help with that.)"


@on_a_loop
async def test_refusal_in_the_middle_of_an_answer_is_a_warning():
    with ScriptedProvider(streams({"content": "Well, "}, {"refusal": "I can't\nhelp."})) as provider:
        turn, result = await ask(provider.url)
    assert result.text == "Well, "
    assert turn.transcript.warnings == ("the model refused to say more: I can't help.",)


@on_a_loop
async def test_answer_that_a_filter_stopped_before_its_first_word_says_so():
    line = await error_of(streams(finish="content_filter"))
    words = "the provider's content filter stopped the answer; change the prompt"
    assert line == f"{MODEL}: {words} (content_filter)"


@on_a_loop
async def test_prompt_that_a_filter_refused_is_to_be_changed():
    line = await error_of(refuses(400, "The prompt was filtered.", "content_filter"))
    words = "the provider's content filter refused the request; change the prompt"
    assert line == f"{MODEL}: {words} (400: The prompt was filtered.)"


@on_a_loop
async def test_token_limit_before_the_first_word_says_what_to_raise():
    line = await error_of(streams(finish="length"))
    words = "the answer reached the token limit before its first word; raise max_tokens, or ask for less"
    assert line == f"{MODEL}: {words}"


@pytest.mark.parametrize("arguments", ['{"pa', ""])
@on_a_loop
async def test_token_limit_in_a_tool_call_says_what_to_raise_and_is_not_reached_again(arguments):
    def look(path: str) -> str:
        """Look."""
        return path

    cut_off = calls(call_delta(0, "c", "look", arguments), finish="length")
    with ScriptedProvider(cut_off) as provider:
        manager = manager_at(provider.url)
        turn = await manager.run("Go", session="chat", model=MODEL, tools=[look], yes=True)
        result = await turn.result()
    words = "the answer reached the token limit in a tool call; raise max_tokens, or ask for less"
    assert (result.status, str(result.error)) == ("failed", f"{MODEL}: {words}")
    assert len(provider.requests) == 1
    assert manager.sessions.load("chat").turns[0].error_code == "token_limit"


@on_a_clock
async def test_wait_that_the_provider_asks_for_is_told_while_it_lasts():
    with ScriptedProvider(error(429, {"error": {"message": "Slow."}}, retry_after="20"), answers("Yes.")) as provider:
        turn = await manager_at(provider.url).run("Hello", session="chat", model=MODEL)
        await until(lambda: turn.transcript.warnings)
        words = r"too many requests \(429\); asked again after 2[0-5] s, as the provider requests"
        assert not turn.finished
        assert re.fullmatch(f"{MODEL}: {words}", turn.transcript.warnings[0])
        assert re.fullmatch(f"{MODEL} has too many requests, asked again in 2[0-5] s", turn.transcript.asking)
        await passes(26)
        result = await turn.result()
    assert (result.status, result.text) == ("completed", "Yes.")


@on_a_clock
async def test_a_class_that_shares_a_key_waits_until_the_provider_answers_and_the_answer_says_so():
    slow = error(429, {"error": {"message": "Slow."}}, retry_after="2")
    with ScriptedProvider(*[slow] * 5, answers("Yes.")) as provider:
        turn = await manager_at(provider.url).run("Hello", session="chat", model=MODEL, timeout=600)
        while not turn.finished:
            await passes(0.1)
            await asyncio.to_thread(time.sleep, 0.01)  # the provider's answers take a moment
        result = await turn.result()
    assert (result.status, result.text, len(provider.requests)) == ("completed", "Yes.", 6)
    assert any("still too many requests (429); asked again" in text for text in turn.transcript.warnings)


@pytest.mark.parametrize(
    ("status", "wait", "why"),
    [
        (429, "1", "has too many requests (429) and asks for a wait of 1 s"),
        (503, "4", "is not available (503) and asks for a wait of 4 s"),
    ],
)
@on_a_clock
async def test_a_turn_whose_time_is_over_while_it_waits_says_what_it_has_waited_for(status, wait, why):
    slow = error(status, {"error": {"message": "Slow."}}, retry_after=wait)
    with ScriptedProvider(slow, never_answers()) as provider:
        turn = await manager_at(provider.url).run("Hello", session="chat", model=MODEL, timeout=60)
        await until(lambda: turn.transcript.asking)
        await passes(10)
        await until(lambda: len(provider.requests) == 2)
        await passes(51)
        result = await turn.result()
    said = f"the turn did not finish within 60 s, as {MODEL} {why}; allow more time with --timeout"
    assert (type(result.error), str(result.error)) == (TurnTimeoutError, said)


@on_a_clock
async def test_a_turn_whose_time_is_over_after_a_wait_that_was_answered_does_not_name_it():
    dawdles = asyncio.Event()
    slow = error(429, {"error": {"message": "Slow."}}, retry_after_ms="10")
    with ScriptedProvider(slow, calls(call_delta(0, "c", "dawdle", "{}")), answers("Never.")) as provider:

        async def dawdle() -> str:
            dawdles.set()
            await asyncio.sleep(600)
            return "done"

        turn = await manager_at(provider.url).run(
            "Hello", session="chat", model=MODEL, timeout=60, tools=[dawdle], yes=True
        )
        await dawdles.wait()
        await passes(61)
        result = await turn.result()
    assert str(result.error) == "the turn did not finish within 60 s; allow more time with --timeout"


@pytest.mark.parametrize("wait", [61, 200])
@on_a_loop
async def test_a_turn_whose_timeout_is_shorter_than_the_wait_fails_at_once_and_costs_nothing(wait):
    with ScriptedProvider(error(429, {"error": {"message": "Slow."}}, retry_after=str(wait))) as provider:
        turn = await manager_at(provider.url).run("Hello", session="chat", model=MODEL, timeout=60)
        result = await asyncio.wait_for(turn.result(), 30)
    assert str(result.error) == f"{MODEL}: too many requests to the provider; try again in {wait} s (429: Slow.)"
    assert (len(provider.requests), result.usage.unmeasured_requests) == (1, 0)


@on_a_loop
async def test_a_turn_that_is_stopped_while_it_waits_costs_nothing():
    with ScriptedProvider(error(429, {"error": {"message": "Slow."}}, retry_after="20")) as provider:
        turn = await manager_at(provider.url).run("Hello", session="chat", model=MODEL)
        await until(lambda: turn.transcript.warnings)
        turn.cancel()
        result = await turn.result()
    assert (result.status, result.usage.unmeasured_requests) == ("interrupted", 0)


@on_a_loop
async def test_wait_that_is_too_long_for_the_client_is_told_in_the_error():
    line = await error_of(error(429, {"error": {"message": "Slow."}}, retry_after="900"))
    assert line == f"{MODEL}: too many requests to the provider; try again in 900 s (429: Slow.)"


@pytest.fixture
def sdk_that_waits(monkeypatch):
    """An SDK that waits as long as it is told to, like Anthropic's."""
    monkeypatch.setattr("openai._base_client.MAX_RETRY_AFTER_DELAY", 1e9)


@pytest.mark.usefixtures("sdk_that_waits")
@pytest.mark.parametrize("status", [429, 503])
@on_a_loop
async def test_an_sdk_without_a_limit_is_kept_from_long_waits(status):
    with ScriptedProvider(error(status, {"error": {"message": "No."}}, retry_after="900")) as provider:
        _, result = await asyncio.wait_for(ask(provider.url), 30)
    assert "try again in 900 s" in str(result.error)
    assert len(provider.requests) == 1


@pytest.mark.usefixtures("sdk_that_waits")
@on_a_clock
async def test_a_wait_that_an_sdk_is_kept_from_is_told_and_waited_for(monkeypatch):
    monkeypatch.setattr("sessionmagic.models.clients.LONGEST_WAIT", 10.0)
    with ScriptedProvider(error(429, {"error": {"message": "Slow."}}, retry_after="20"), answers("Yes.")) as provider:
        turn = await manager_at(provider.url).run("Hello", session="chat", model=MODEL)
        await until(lambda: turn.transcript.warnings)
        await passes(26)
        result = await turn.result()
    assert (result.status, result.text, len(provider.requests)) == ("completed", "Yes.", 2)


@on_a_loop
async def test_provider_that_is_not_available_is_told_from_one_that_fails():
    line = await error_of(error(503, {"error": {"message": "Busy."}}, retry_after="900"))
    assert line == f"{MODEL}: the provider is overloaded or not available; try again in 900 s (503: Busy.)"


def test_quota_that_is_used_up_does_not_advise_to_wait():
    used_up = ModelHTTPError.for_category(
        ModelQuotaExceededError, status_code=429, model_name="m", body={"message": "No credit."}
    )
    code, line = failure(MODEL, used_up)
    words = "the quota or credit of the account is used up; check the account's plan"
    assert (code, str(line)) == ("quota", f"{MODEL}: {words} (429: No credit.)")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ([{"error": {"message": "In a list."}}], "500: In a list."),
        ({"error": "Only a text."}, "500: Only a text."),
        ({"detail": [{"msg": "Field required"}]}, "500: Field required"),
        ({"error": {"code": 7}}, "500: Internal Server Error"),
        ({"something": {"else": [1, 2]}}, "500: Internal Server Error"),
        (None, "500: Internal Server Error"),
    ],
)
def test_error_body_of_any_form_is_no_dump(body, reason):
    words = "the provider failed; try again later, or choose another model"
    assert line_of(ModelHTTPError(500, "m", body=body)) == f"{MODEL}: {words} ({reason})"


def test_status_without_a_standard_phrase_is_told_all_the_same():
    assert line_of(ModelHTTPError(529, "m")).endswith("(529: no message)")


@pytest.mark.parametrize("body", [None, "no JSON", "[]", '[{"provider_details": null}]', '{"parts": []}'])
def test_filter_that_says_nothing_is_told_all_the_same(body):
    assert line_of(ContentFilterError("filtered", body)).endswith("; change the prompt (content_filter)")


@pytest.mark.parametrize(
    ("details", "reason"), [({"block_reason": "SAFETY"}, "SAFETY"), ({"finish_reason": "RECITATION"}, "RECITATION")]
)
def test_filter_is_told_in_the_words_of_the_provider(details, reason):
    body = json.dumps([{"provider_details": details}])
    assert line_of(ContentFilterError("filtered", body)).endswith(f"; change the prompt ({reason})")


def test_status_that_the_title_of_an_error_page_repeats_is_told_once():
    page = "<html><head><title>502 Bad Gateway</title></head></html>"
    assert line_of(ModelHTTPError(502, "m", body=page)).endswith("(502: Bad Gateway)")


def test_error_of_several_models_is_told_by_that_of_the_last():
    group = FallbackExceptionGroup(
        "all failed", [ModelHTTPError(500, "a"), ModelHTTPError(401, "b", {"message": "No"})]
    )
    assert str(failure("mine", group)[1]) == "mine: 401: No"


def test_error_of_several_models_does_not_name_the_address_of_the_first():
    group = FallbackExceptionGroup("all failed", [ModelHTTPError(500, "a"), ModelConnectionError("b", "refused")])
    assert "http://first" not in str(failure("mine", group, "http://first/v1")[1])


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("sk-1234567890\n", "a line break"),
        ("sk-1234567890\u200b", "a character that no key has"),
        ("sk-1234567890 ", "a blank before or after the key"),
    ],
)
@pytest.mark.parametrize(("variable", "model"), [("LAB_API_KEY", MODEL), ("OPENAI_API_KEY", "openai:gpt-5.2")])
@on_a_loop
async def test_key_that_cannot_be_sent_is_refused_before_sending(monkeypatch, key, what, variable, model):
    monkeypatch.setenv(variable, key)
    manager = manager_at("http://127.0.0.1:9/v1")
    with pytest.raises(ModelReferenceError) as refused:
        await manager.run("Hello", session="chat", model=model)
    assert str(refused.value) == f"'{model}' cannot use {variable}, which contains {what}; set it again"
    assert manager.sessions.summaries()[0] == []


@on_a_loop
async def test_certificates_that_do_not_exist_are_named_with_their_variable(monkeypatch):
    monkeypatch.setattr(ssl, "create_default_context", ssl._create_default_https_context)
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with pytest.raises(ModelReferenceError) as refused:
        await manager_at("https://lab.example/v1").run("Hello", session="chat", model=MODEL)
    words = "SSL_CERT_FILE is '/nowhere/ca.pem', which does not exist; correct or unset it"
    assert str(refused.value) == f"{MODEL}: {words}"


def test_server_whose_certificate_is_not_accepted_may_lack_the_named_certificates(monkeypatch):
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")
    lost = ModelConnectionError("m", "Connection error.")
    lost.__cause__ = ssl.SSLError("certificate verify failed")
    _, line = failure(MODEL, lost, "https://lab.example/v1")
    words = "SSL_CERT_DIR is '/nowhere', which does not exist; correct or unset it"
    assert str(line).startswith(f"{MODEL}: the connection to https://lab.example/v1 failed: {words} (")


@pytest.mark.parametrize("key", ["sk-1234567890\n", "sk-1234567890\u200b"])
@on_a_loop
async def test_key_of_a_registered_model_that_cannot_be_sent_is_not_quoted(key):
    with ScriptedProvider(answers("Yes.")) as provider:
        register_model("mine", OpenAIChatModel("m", provider=OpenAIProvider(provider.url, key)))
        turn = await manager_at(provider.url).run("Hello", session="chat", model="mine")
        result = await turn.result()
    words = "the API key has a line break or another character that cannot be sent; set it again"
    assert str(result.error) == f"mine: {words}"


def test_header_that_a_client_quotes_is_left_out():
    _, line = failure("mine", ValueError(r"Illegal header value b'Bearer sk-1234567890\n'"))
    assert str(line) == "mine: ValueError: Illegal header value"


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "socks5://127.0.0.1:9"])
@on_a_loop
async def test_server_on_this_machine_is_asked_without_the_proxy(monkeypatch, variable, proxy):
    monkeypatch.setenv(variable, proxy)
    with ScriptedProvider(answers("Yes.")) as provider:
        _, result = await ask(provider.url)
    assert (result.status, result.text) == ("completed", "Yes.")


@on_a_loop
async def test_provider_of_pydantic_ai_on_this_machine_is_asked_without_the_proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with ScriptedProvider(answers("Yes.")) as provider:
        monkeypatch.setenv("OLLAMA_BASE_URL", provider.url)
        turn = await manager_at(provider.url).run("Hello", session="chat", model="ollama:llama3.2")
        result = await turn.result()
    assert (result.status, result.text) == ("completed", "Yes.")


@on_a_loop
async def test_proxy_that_cannot_be_reached_is_named_with_its_variable(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    _, result = await ask("http://lab.example/v1")
    words = "the connection to http://lab.example/v1/ through the proxy in HTTP_PROXY failed or was lost"
    assert str(result.error).startswith(f"{MODEL}: {words}; check the proxy, or add lab.example to NO_PROXY (")


@on_a_loop
async def test_page_of_a_proxy_is_told_from_an_answer_of_the_server(monkeypatch):
    with ScriptedProvider(replies("<html><title>Forbidden</title>", "text/html", 403)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/v1"))
        _, result = await ask("http://lab.example/v1")
    words = "the proxy in HTTP_PROXY may have answered instead of http://lab.example/v1/"
    advice = "if the server is in your network, add lab.example to NO_PROXY"
    assert str(result.error) == f"{MODEL}: {words}; {advice} (403: Forbidden)"


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("http://localhost:8000/v1", True),
        ("http://127.1.2.3/v1", True),
        ("http://[::1]:8000", True),
        ("http://lab.localhost/", True),
        ("http://192.168.0.1/v1", False),
        ("https://localhost.example/v1", False),
        ("http://[no-address]/v1", False),
        ("", False),
    ],
)
def test_loopback_addresses_are_those_of_this_machine(address, loopback):
    assert is_loopback(address) is loopback


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (
            ModelRequestTimeout("m", 60),
            "timeout",
            "m: the provider did not answer in time; try again later (Request to",
        ),
        (UserError("no such\ntool"), "model_error", "m: no such tool"),
        (UnexpectedModelBehavior("Received empty model response"), "model_error", "m: Received empty model response"),
        (LookupError("x"), "model_error", "m: LookupError: x"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_other_failure_is_one_line(raised, code, line):
    found, told = failure("m", raised)
    assert found == code
    assert str(told).startswith(line)


def test_certificates_that_go_missing_while_the_model_is_asked_are_named(monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent/ca.pem")
    code, told = failure("m", FileNotFoundError(2, "No such file or directory"))
    assert code == "certificates"
    assert "SSL_CERT_FILE is '/nonexistent/ca.pem', which does not exist" in str(told)
