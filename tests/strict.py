"""What the strictest servers want of the messages of a request: one checker for each family.

Each takes the messages in the form of OpenAI's chat completions and returns a refusal, or None.
"""

import itertools
import json
import re

FIELDS = {"role", "content", "tool_calls", "tool_call_id", "name"}


def alternating(messages):
    """Gemma's template, and Mistral's without tools."""
    roles = [message["role"] for message in messages if message["role"] != "system"]
    if any((role == "user") != (place % 2 == 0) for place, role in enumerate(roles)):
        return "Conversation roles must alternate user/assistant/user/assistant/..."
    return None


def user_after_tool(messages):
    """Mistral's template."""
    roles = [message["role"] for message in messages]
    if ("tool", "user") in itertools.pairwise(roles):
        return "Unexpected role 'user' after role 'tool'"
    return None


def neighbours(messages):
    """Templates that let user and assistant alternate around calls and their results."""
    follows = {"start": {"user"}, "user": {"assistant"}, "assistant": {"user"}, "tool": {"tool", "assistant"}}
    last = "start"
    for message in messages:
        if message["role"] == "system":
            continue
        if message["role"] not in follows.get(last, {"tool"}):
            return f"{message['role']} after {last}"
        last = "calls" if message.get("tool_calls") else message["role"]
    return None if last in ("user", "tool") else f"the last message is {last}"


def system_first(messages):
    """Qwen's template."""
    if any(message["role"] in ("system", "developer") for message in messages[1:]):
        return "System message must be at the beginning."
    return None


def visible(messages):
    """Proxies to Anthropic."""
    for message in messages:
        content = message.get("content")
        texts = [content] if isinstance(content, str) else [part.get("text", "-") for part in content or ()]
        if message["role"] != "tool" and not all(text.strip() for text in texts):
            return "messages: text content blocks must contain non-whitespace text"
        if message["role"] == "assistant" and not texts and not message.get("tool_calls"):
            return "messages: an assistant message is empty"
    return None


def ids(messages):
    """OpenAI's limit on the length of ids, Anthropic's on their characters, and calls paired with results."""
    seen = set()
    for place, message in enumerate(messages):
        calls = [call["id"] for call in message.get("tool_calls") or []]
        answers = []
        for later in messages[place + 1 :]:
            if later["role"] != "tool":
                break
            answers.append(later["tool_call_id"])
        if calls and calls != answers:
            return f"the calls {calls} have the results {answers}"
        for call_id in calls:
            if not re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", call_id) or call_id in seen:
                return f"Invalid 'tool_calls[0].id': {call_id}"
            seen.add(call_id)
    return None


def nine_letters(messages):
    """Mistral's tokenizer."""
    calls = [call["id"] for message in messages for call in message.get("tool_calls") or []]
    bad = [call_id for call_id in calls if not re.fullmatch(r"[a-zA-Z0-9]{9}", call_id)]
    return f"Tool call id was {bad[0]} but must be a-z, A-Z, 0-9, with a length of 9." if bad else None


def functions(messages):
    """Names and arguments of functions."""
    for message in messages:
        for call in message.get("tool_calls") or []:
            if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", call["function"]["name"]):
                return f"Invalid 'function.name': {call['function']['name']}"
            json.loads(call["function"]["arguments"])
    return None


def known_fields(messages):
    """Servers that validate each field."""
    unknown = [name for message in messages for name in message if name not in FIELDS]
    return f"body.messages.assistant.{unknown[0]}: Extra inputs are not permitted" if unknown else None


FAMILIES = [user_after_tool, neighbours, system_first, visible, ids, functions, known_fields]
"""Checkers that hold for any conversation."""
