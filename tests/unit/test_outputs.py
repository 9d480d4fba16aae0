"""What is shown of the rich outputs of a model's code."""

import base64

import pytest

from sessionmagic.keys.cleaning import LEFT_OUT
from sessionmagic.keys.known import KNOWN
from sessionmagic.notebook.kernel.outputs import SVG, RichOutput, restored


@pytest.mark.parametrize("kind", ["text/html", "text/markdown", SVG])
def test_key_that_is_known_by_the_time_it_is_shown_is_left_out(kind, monkeypatch):
    monkeypatch.setattr(KNOWN, "names", {})
    output = RichOutput({kind: "<b>open sesame now</b>"})
    KNOWN.add("open sesame now")
    html = output._rich()["text/html"]
    if kind == SVG:
        html = base64.b64decode(html.partition("base64,")[2].partition('"')[0]).decode()
    assert LEFT_OUT in html
    assert "sesame" not in html


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"data": None},
        {"data": [1], "metadata": [1]},
        {"data": {"image/png": {"data": "!"}}, "metadata": {"image/png": {"width": "1"}}},
        {"data": {"text/html": "<script>alert(1)</script><img src=x onerror=alert(1)>", 1: None}},
        {"data": {"text/html": {"data": ["<script>alert(1)</script>"]}, "application/javascript": "alert(1)"}},
        {"data": {SVG: "<svg onload=alert(1)>"}},
    ],
)
def test_stored_output_that_somebody_has_edited_is_harmless(stored):
    output = restored(stored)
    assert set(output.data) <= {"text/plain", "text/html"}
    assert "alert" not in output.data.get("text/html", "").partition("base64,")[0]
