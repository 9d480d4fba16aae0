"""What comes from a model, or is a name, a title or an error, is shown as text: nothing runs, nothing is fetched."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from sessionmagic.notebook.page.in_view import STYLE
from tests.browser.lab import SECONDS

RUN = "window.top.hacked=1"
NAME = f"""<img src=http://evil.test/n onerror={RUN}>$\\href{{javascript:{RUN}}}{{named}}$\\(x\\)"""
TYPED = NAME.replace("{", "{{").replace("}", "}}")
"""The same on the line of a magic, where an expression in braces is a value."""
MARKUP = rf"""<script>{RUN}</script>
<img src="http://evil.test/img.png" onerror="{RUN}"> <svg onload="{RUN}"><a xlink:href="javascript:{RUN}">svg</a></svg>
<iframe srcdoc="<script>parent.{RUN}</script>"></iframe><iframe src="http://evil.test/frame"></iframe>
<style>@import "http://evil.test/s.css"; body {{display: none}}</style><link rel=stylesheet href=http://evil.test/l.css>
<a href="javascript:{RUN}">raw link</a> <form action="http://evil.test/form"><button>send</button></form>

[js link](javascript:{RUN}) [data link](data:text/html,<script>{RUN}</script>) [vb](vbscript:{RUN})
[entity link](java&#115;cript:{RUN}) <javascript:{RUN}>

![remote](http://evil.test/remote.png) ![inline](data:image/svg+xml,<svg/onload={RUN}>)
[![badge](http://evil.test/badge.png)](http://evil.test/page)

$\href{{javascript:{RUN}}}{{math link}}$ and $\style{{background:url(http://evil.test/st)}}{{x}}$ and
$\require{{html}}\class{{evil}}{{y}}$ and $$\unicode{{x41}}\href{{javascript:{RUN}}}{{z}}$$
\(\href{{javascript:{RUN}}}{{round}}\) \[\href{{javascript:{RUN}}}{{square}}\] \begin{{equation}}\href{{javascript:{RUN}}}{{q}}\end{{equation}}

ANSI: {chr(27)}[31mred{chr(27)}[0m, bidi: {chr(0x202E)}txt.exe{chr(0x202C)}

```html
<script>{RUN}</script><img src=x onerror="{RUN}">
```

```"><img src=http://evil.test/info onerror={RUN}>
in a fence
```

    <img src=http://evil.test/indented onerror={RUN}>

| <img src=http://evil.test/th onerror={RUN}> | b |
|---|---|
| $\href{{javascript:{RUN}}}{{cell}}$ | `<script>{RUN}</script>` |

## Over and out
"""  # noqa: E501  a paragraph keeps its lines
SHOWN = ["<script>", "<iframe srcdoc=", "js link", r"\href{javascript:", "␛[31mred", "⟨U+202E⟩txt.exe", "in a fence"]

PROBE = """area => {
    for (const element of area.querySelectorAll("*")) {
        if (element.closest("a[href^=http]") || element.closest("button")) continue;
        for (const kind of ["mouseover", "focus", "click"])
            element.dispatchEvent(new MouseEvent(kind, {bubbles: true, cancelable: true}));
    }
    const found = area.querySelectorAll(
        "script, img, iframe, object, embed, form, input, style, link, meta, base, video, audio, " +
        "svg:not([data-icon]), mjx-container a");
    const draft = /^<style>.sessionmagic-[0-9a-f]{32} { display: none }<[/]style>$/;  // ours
    const handlers = [...area.querySelectorAll("*")].filter(e => [...e.attributes].some(a => /^on/i.test(a.name)));
    const links = [...area.querySelectorAll("a")].map(a => a.getAttribute("href"));
    const sources = [...found, ...handlers].map(e => e.outerHTML.slice(0, 200));
    return {found: sources.filter(html => !draft.test(html)), links};
}"""


@pytest.fixture(autouse=True)
def _page_of_its_own(page):
    """Load JupyterLab anew for each test: what one of them runs in the page stays there."""
    page.goto("about:blank")
    yield
    page.goto("about:blank")


@pytest.fixture
def requests(browser, lab):
    """The requests of all pages to other hosts than the server's."""
    seen = []

    def record(request):
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob", "about"} and parts.netloc != urlsplit(lab.url).netloc:
            seen.append(request.url)

    browser.on("request", record)
    yield seen
    browser.remove_listener("request", record)


def hacked(page):
    return page.evaluate("window.hacked")


def expect_harmless(area, requests, shown=SHOWN):
    page = area.page
    area.scroll_into_view_if_needed()
    before = len(page.context.pages)
    probed = area.evaluate(PROBE)
    assert [html for html in probed["found"] if html != STYLE[:200]] == []
    # A link that markdown makes may go to the web when the user clicks it, and nowhere else.
    assert [link for link in probed["links"] if not re.match(r"https?://|mailto:", link or "")] == []
    page.wait_for_timeout(300)  # for whatever an event has started
    assert hacked(page) is None
    assert requests == []
    assert len(page.context.pages) == before
    text = area.inner_text()
    assert [words for words in shown if words not in text] == [], text
    assert "\x1b" not in text
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", text)


def test_page_would_run_and_fetch_what_is_not_cleaned(notebook, requests):
    it = notebook(
        "from IPython.display import HTML, Markdown\ndisplay(HTML(text), Markdown(text))", setup=f"text = {MARKUP!r}\n"
    )
    it.run(1)
    it.expect_done(1)
    it.page.wait_for_function("window.hacked === 1", timeout=SECONDS)
    it.page.wait_for_timeout(300)
    assert {urlsplit(url).netloc for url in requests} == {"evil.test"}


def test_hostile_answer_is_text_live_saved_trusted_and_not(notebook, requests):
    setup = f'script("tail", scripted.tails("hostile.txt", reasoning={MARKUP!r}));\n'
    it = notebook(f'%%agent -s "{TYPED}" -m tail\n{MARKUP}', setup=setup)
    it.run(1)
    it.say("hostile.txt", MARKUP)
    expect(it.area(1).get_by_role("heading", name="Over and out")).to_be_visible(timeout=SECONDS)
    it.area(1).get_by_text("Reasoning", exact=True).click()
    expect(it.area(1).get_by_role("heading", name="Over and out")).to_have_count(2)
    expect_harmless(it.area(1).first, requests, [*SHOWN, NAME])

    it.say("hostile.txt", "", end=True)
    it.expect_done(1)
    expect(it.answer(1)).to_contain_text(" · turn 1", timeout=SECONDS)
    it.answer(1).get_by_text("Reasoning").click()
    expect_harmless(it.answer(1), requests, [*SHOWN, NAME])
    it.save()

    it.page.reload()
    expect(it.answer(1)).to_contain_text(" · turn 1", timeout=2 * SECONDS)
    expect_harmless(it.answer(1), requests, [*SHOWN, NAME])

    copy = it.colleagues_copy().open_without_kernel()
    expect(copy.answer(1)).to_contain_text(" · turn 1", timeout=SECONDS)
    expect_harmless(copy.answer(1), requests, [*SHOWN, NAME])


def test_hostile_names_titles_prompts_and_errors_are_text_in_listings_too(notebook, requests):
    setup = (
        f'script("bad", ["Half an answer", ValueError({NAME!r})])\n'
        "from dataclasses import replace\n"
        'manager = get_ipython().magics_manager.registry["AgentMagics"].context.manager\n'
        f"def titled(session): return replace(session, title={NAME!r})\n"
    )
    it = notebook(
        f'%%agent -s "{TYPED}" -m bad\n{MARKUP}',
        f"manager.store.update(manager.sessions.load({NAME!r}).id, titled);",
        "%agent sessions",
        f'%agent show "{TYPED}"',
        f'%agent usage "{TYPED}"',
        f'%%agent -s "{TYPED}" -m "{TYPED}"\nHi.',
        f'%agent star "{TYPED}"',
        setup=setup,
    )
    error = "[data-mime-type*=error], [data-mime-type*=stderr]"
    it.run(1)
    it.expect_done(1)
    expect(it.output(1).locator(error)).to_contain_text("TurnFailedError", timeout=SECONDS)
    expect(it.answer(1)).to_contain_text("failed", timeout=SECONDS)
    # The words of an error that a provider writes.
    expect_harmless(it.output(1), requests, ["Half an answer", NAME])
    it.run(2)
    it.expect_done(2)
    it.run(3)
    expect(it.output(3).locator("table")).to_be_visible(timeout=SECONDS)
    assert it.output(3).locator("td").all_inner_texts().count(f"{NAME}\n{NAME}") == 1
    it.run(4)
    expect(it.answer(4).last).to_contain_text("failed", timeout=SECONDS)
    it.run(5)
    expect(it.output(5).locator("table")).to_be_visible(timeout=SECONDS)
    it.run(6)
    expect(it.output(6).locator(error)).to_contain_text("ModelReferenceError", timeout=SECONDS)
    it.run(7)
    expect(it.output(7)).to_contain_text("has a star", timeout=SECONDS)

    def check(book):
        expect_harmless(book.output(3), requests, [NAME])
        expect_harmless(book.output(4), requests, [*SHOWN, NAME, "Half an answer"])
        for number in (5, 6, 7):
            expect_harmless(book.output(number), requests, [])
        assert "img src=" in book.output(7).inner_text()
        assert it.page.locator("mjx-container").count() == 0

    check(it)
    it.save()
    copy = it.colleagues_copy().open_without_kernel()
    expect(copy.answer(4).last).to_contain_text("failed", timeout=SECONDS)
    check(copy)
