"""The last model request as `%agent show --sent` writes it: everything that went out, but no keys and no files."""

from pydantic_ai.messages import (
    BinaryContent,
    FilePart,
    ImageUrl,
    ModelRequest,
    ModelResponse,
    RetryFeedbackPart,
    RetryInfo,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.tools import ToolDefinition

from sessionmagic.turns.sent_request import SentRequest

KEY = "sk-0123456789abcdef"
PICTURE = BinaryContent(b"\x89PNG" * 500, media_type="image/png")


def text_of(*messages, **more):
    given = {"model": "lab:m", "instructions": [], "messages": messages, "tools": [], "settings": {}, "at": 0.0}
    return SentRequest(**(given | more)).text()


def test_every_part_of_a_message_has_a_line_that_says_whose_it_is():
    text = text_of(
        ModelRequest([SystemPromptPart("Be brief."), UserPromptPart("Look at a.")]),
        ModelResponse(
            [ThinkingPart("Hm."), ThinkingPart(""), TextPart("I look."), ToolCallPart("look", {"at": "a"}, "c")]
        ),
        ModelRequest(
            [
                ToolReturnPart("look", "saw a", "c"),
                RetryFeedbackPart(content="at most 3", retry=RetryInfo(cause="output_validation")),
            ]
        ),
        ModelResponse([FilePart(PICTURE)]),
    )
    blocks = text.split("\n\n")[1:]
    assert blocks[:7] == [
        "system: Be brief.",
        "user: Look at a.",
        "assistant's reasoning: Hm.",
        "assistant's reasoning: (not readable)",
        "assistant: I look.",
        'assistant calls look (c): {"at":"a"}',
        "result of look (c): saw a",
    ]
    assert "at most 3" in blocks[7]
    assert blocks[8:] == ["assistant's file"]


def test_files_are_named_by_type_and_size():
    content = ["See:", TextContent("a note"), PICTURE, ImageUrl("https://example.org/a.png")]
    text = text_of(ModelRequest([UserPromptPart(content)]))
    assert text.endswith("user: See:\n\na note\n\n[image/png, 2,000 bytes]\n\n[image-url]")


def test_instructions_tools_and_settings_are_shown_and_keys_are_not(monkeypatch):
    monkeypatch.setenv("OUR_API_KEY", KEY)
    settings = {"temperature": 0, "extra_headers": {"x": "secret"}, "extra_body": {"token": "secret"}}
    text = text_of(
        ModelRequest([UserPromptPart(f"My key is {KEY}.")]),
        instructions=["Answer in German."],
        tools=[ToolDefinition(name="look"), ToolDefinition(name="run")],
        settings=settings,
    )
    assert text.startswith("sent to lab:m at ")
    assert "\n\nsystem: Answer in German.\n\nuser: My key is " in text
    assert text.endswith("tools: look, run\n\nsettings: temperature=0, extra_headers=•••, extra_body=•••")
    assert KEY not in text
