"""What users mistype and what models send: one clear line or harmless text, and nothing changed."""

import json
import re
from html import unescape
from html.parser import HTMLParser

import pytest

from sessionmagic.notebook.page.in_view import ASKS, SHOW, STYLE

pytestmark = pytest.mark.once

HOSTILE = """<script>alert(1)</script><img src=https://evil.test/x.png onerror=alert(2)>

![pixel](https://evil.test/pixel.png) [link](javascript:alert(3)) <iframe src="https://evil.test"></iframe>

<svg onload=alert(4)> <a href="data:text/html,x">a</a> <style>@import url(https://evil.test/x.css)</style>

```html
</pre><script>alert(5)</script>
```
\x1b[31mred\x1b[0m \x1b]8;;https://evil.test\x07click\x1b]8;;\x07 \x07 \u202egnp.exe
"""
ACTIVE = {
    "script",
    "img",
    "iframe",
    "svg",
    "style",
    "link",
    "object",
    "embed",
    "form",
    "video",
    "audio",
    "base",
    "meta",
}
NAMES = ["a/b", "../../up", "..", "/etc/passwd", "chat 🦊", "x" * 200, "CON", "%s{}$1`", "-"]


OWN_STYLE = re.compile(r"<style>\.sessionmagic-[0-9a-f]{32} { display: none }</style>")
OWN_SCRIPT = re.compile(re.escape(SHOW.format(asks=ASKS, id="ID")).replace("ID", "[0-9a-f]{8}"))


class Page(HTMLParser):
    """What a browser would find to run or to fetch in a piece of HTML."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(OWN_SCRIPT.sub("", OWN_STYLE.sub("", html.replace(STYLE, ""))))

    def handle_starttag(self, tag, attributes):
        if tag in ACTIVE:
            self.found.append(tag)
        for name, value in attributes:
            address = (value or "").strip().lower()
            if name.startswith("on") or name in {"src", "srcset", "background"}:
                self.found.append((tag, name, value))
            if name == "href" and not address.startswith(("https:", "http:", "mailto:", "#")):
                self.found.append((tag, name, value))
            if name == "style" and "url(" in address:
                self.found.append((tag, name, value))


def harmless(cell):
    """Check everything that ever reached the page."""
    shown = 0
    for content in cell.contents("display_data", "execute_result"):
        html, text = content["data"].get("text/html", ""), content["data"].get("text/plain", "")
        shown += bool(html)
        assert Page(html).found == []
        assert not {"\x1b", "\x07", "\u202e"} & {*html, *text}
    for state in cell.widgets.values():
        if state.get("_model_name") in {"HTMLModel", "HTMLMathModel"}:
            shown += 1
            assert Page(state["value"]).found == []
            assert not {"\x1b", "\x07", "\u202e"} & {*state["value"]}
    for content in cell.contents("stream"):
        assert "\x1b" not in content["text"]
    assert shown
    return cell


def test_a_hostile_answer_is_shown_as_text(kernel, session):
    kernel.run(f"script('hostile', paced({HOSTILE!r}, 0.001))").ok()
    cell = harmless(kernel.run(f"%%agent -m hostile -s {session}\nhi").ok())
    assert "&lt;script&gt;alert(1)" in cell.html
    assert "</pre><script>alert(5)</script>" in unescape(re.sub("<[^>]*>", "", cell.html))
    harmless(kernel.run(f"%agent show {session}").ok())
    assert kernel.value("str(_agent)") == repr(HOSTILE)


def test_hostile_prompts_titles_and_names_are_shown_as_text(kernel, session):
    name = f"{session}<img src=x onerror=alert(1)>"
    kernel.run(f'%%agent -m hello -s "{name}"\n{HOSTILE}').ok()
    harmless(kernel.run(f'%%agent -m recalls -s "{name}"\nhi').ok())
    harmless(kernel.run("%agent sessions").ok())
    harmless(kernel.run(f'%agent show "{name}"').ok())


def test_hostile_error_texts_are_shown_as_text(kernel, session):
    kernel.run(f"script('hostile-error', ['some words', RuntimeError({HOSTILE!r})])").ok()
    cell = harmless(kernel.run(f"%%agent -m hostile-error -s {session}\nhi"))
    assert cell.ename == "TurnFailedError"
    assert not {"\x1b", "\x07", "\u202e"} & {*cell.traceback, *cell.evalue}
    assert "\n" not in cell.traceback
    harmless(kernel.run(f"%agent show {session}").ok())
    harmless(kernel.run("%agent sessions").ok())


def test_hostile_reasoning_is_shown_as_text(kernel, session):
    kernel.run(f"script('hostile-mind', [think({HOSTILE!r}), 'done'])").ok()
    harmless(kernel.run(f"%%agent -m hostile-mind -s {session}\nhi").ok())


def test_an_answer_of_64_megabytes_is_bounded_on_the_page_and_whole_in_the_result(kernel, session):
    kernel.run("script('huge', ['0123456789abcde ' * 65536] * 64)").ok()
    cell = kernel.run(f"%%agent -m huge -s {session}\nhi", timeout=90).ok()
    assert sum(len(json.dumps(message["content"])) for message in cell.messages) < 5_000_000
    assert len(cell.messages) < 300
    assert "not shown here: " in cell.text
    assert kernel.value("len(str(_agent))") == str(64 * 2**20)
    kernel.run(f"%agent delete {session} --yes").ok()


def test_a_prompt_of_64_megabytes_is_refused_in_one_line(kernel, session):
    kernel.run("prompt = 'x' * (64 * 2**20)").ok()
    cell = kernel.run(f"get_ipython().run_cell_magic('agent', '-m hello -s {session}', prompt)")
    assert cell.ename == "PromptError"
    assert len(cell.traceback) < 300
    assert session not in kernel.run("%agent sessions").text


def test_a_value_of_many_megabytes_is_cut_and_says_so(kernel, session):
    kernel.run("big = list(range(10**6)); text = 'x' * 10**7").ok()
    cell = kernel.run(f"%%agent -m recalls -s {session}\n$`big` $`text`").ok()
    assert len(cell.text) < 100_000
    assert "cut" in cell.text


@pytest.mark.parametrize("name", NAMES)
def test_odd_session_names_are_names_and_not_paths(kernel, name):
    def files():
        ours = (kernel.store, kernel.home / "ipython")
        return {path for path in kernel.home.rglob("*") if not {*ours} & {*path.parents}}

    before = files()
    kernel.run(f'%%agent -m hello "--session={name}"\nfirst').ok()
    cell = kernel.run(f'%%agent -m recalls "--session={name}"\nsecond').ok()
    assert "first" in cell.text
    assert kernel.value("_agent.session") == repr(name)
    assert files() == before
    assert name in kernel.run("%agent sessions").text
    kernel.run(f'%agent delete "{name}" --yes').ok()


@pytest.mark.parametrize("name", ["x" * 10_000, " ", "a\tb"])
def test_names_that_cannot_be_are_refused_in_one_line(kernel, name):
    cell = kernel.run(f'%%agent -m hello -s "{name}"\nhi')
    assert cell.ename == "UsageError"
    assert "\n" not in cell.traceback
    assert len(cell.traceback) < 400


@pytest.mark.parametrize(
    "line",
    [
        "--wait soon",
        "--timeout -1",
        "--timeout inf",
        "--out class",
        "-s",
        '-s "open',
        "--out not-a-name",
        "hi",
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_line(kernel, line):
    cell = kernel.run(f"%%agent -m hello {line}\nhi")
    assert cell.ename == "UsageError"
    assert "\n" not in cell.traceback
    assert len(cell.outputs) == 1


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("opnai:gpt-5.2", "openai"),
        ("nonsense", "provider:model"),
        ("openai:gpt-5.2", "OPENAI_API_KEY"),
        ("local:missing.gguf", "missing.gguf"),
        ("openai:", "provider:model"),
        ("x" * 5000, "provider:model"),
    ],
)
def test_models_that_cannot_be_used_are_refused_before_anything_is_stored(kernel, session, model, said):
    kernel.run(f"%%agent -m hello -s {session}\nfirst").ok()
    cell = kernel.run(f"%%agent -m {model} -s {session}\nzebra")
    assert cell.ename == "ModelReferenceError"
    assert said in cell.evalue
    assert "\n" not in cell.traceback
    assert len(cell.traceback) < 500
    after = kernel.run(f"%%agent -m recalls --once -s {session}\nthird").ok().text
    assert "zebra" not in after
    assert "hello" in kernel.run(f"%agent model -s {session}").text
