"""Long words, wide tables, code, formulas and figures stay in their place at any width of the page."""

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.lab import SECONDS
from tests.browser.measuring import at_each_width, trouble

NAME = "n" * 64
MODEL = "provider-of-models:" + "a-model-with-a-long-name-" * 3 + "2026"
WORD = "w" * 2000
URL = f"https://example.org/{'x' * 1980}"
LINE = " + ".join(f"some_function_{number}(argument_{number})" for number in range(16))
SUM = " + ".join(rf"\frac{{a_{{{number}}}}}{{b_{{{number}}}}}" for number in range(60))
COLUMNS = range(30)
ANSWER = f"""# A heading {WORD[:300]}

Prose {WORD}, {URL} and `{"inline_code_" * 40}`.

```python
result = {LINE}
```

| {" | ".join(f"column {number}" for number in COLUMNS)} |
|{"---|" * len(COLUMNS)}
| {" | ".join(f"value {number}" for number in COLUMNS)} |

$$
{SUM}
$$

Within a line: ${" + ".join(f"x_{{{number}}}" for number in range(80))}$.

1. one
   - two
     - three

       ```
       {LINE}
       ```

> quoted: {URL}

The end.
"""
FIGURE = """\
import matplotlib.pyplot as plt
%matplotlib inline
plt.figure(figsize=(30, 4))
plt.plot([1, 2])
plt.show()
"""
CODE = f"text = '{WORD}'\nresult = 1 or {LINE}\nprint(text)\ndisplay(table)\n{FIGURE}"
IS_WIDENED = "document.scrollingElement.scrollWidth > document.scrollingElement.clientWidth"
TABLE = "import pandas as pd\ntable = pd.DataFrame({f'column {number}': ['value'] for number in range(30)})\n"
ROW = {"name": WORD[:100], "address": URL, "text": "some words " * 30}


def test_a_wide_answer_live_saved_at_a_colleagues_exported_and_without_styles(notebook):
    from nbconvert import HTMLExporter

    it = notebook(
        f"%%agent -s {NAME} -m {MODEL}\n{WORD} {URL}",
        f"%agent show {NAME}",
        setup=f'script({MODEL!r}, scripted.tails("wide.txt", reasoning={WORD!r}));\n',
    )
    it.run(1)
    it.say("wide.txt", ANSWER)
    expect(it.area(1).get_by_text("The end.")).to_be_visible(timeout=SECONDS)
    it.area(1).get_by_text("Reasoning", exact=True).click()
    assert trouble(it, 1) == []
    it.say("wide.txt", "", end=True)
    it.expect_done(1)
    expect(it.answer(1)).to_contain_text(" · turn 1", timeout=SECONDS)
    it.run(2)
    it.expect_done(2)
    assert trouble(it, 1, 2) == []
    saved = it.save()
    copy = it.colleagues_copy().open_without_kernel()
    expect(copy.answer(1)).to_contain_text(" · turn 1", timeout=SECONDS)
    assert trouble(copy, 1, 2) == []
    page, _ = HTMLExporter().from_notebook_node(nbformat.from_dict(saved))
    it.page.set_content(page, wait_until="commit")
    expect(it.answer(1).get_by_text("The end.")).to_be_visible()
    assert trouble(it, 1, 2) == []
    it.page.evaluate("document.querySelectorAll('[style]').forEach(each => each.removeAttribute('style'))")
    assert at_each_width(it.page, lambda: ["the page scrolls"] if it.page.evaluate(IS_WIDENED) else []) == []


def test_a_wide_call_is_all_seen_before_it_is_approved_and_scrolls_afterwards(notebook):
    it = notebook(
        "%%agent -s wide-call -m acts\nGo.",
        setup=f'{TABLE}script("acts", call("run_python", code={CODE!r}), "Done.");\n',
    )
    it.run(1)
    approve = it.area(1).get_by_role("button", name="Approve")
    expect(approve).to_be_visible(timeout=SECONDS)
    assert trouble(it, 1) == []
    assert at_each_width(it.page, lambda: it.scrolls(1)) == []
    approve.click()
    it.expect_done(1)
    it.answer(1).locator("summary").click()
    expect(it.output(1).locator("img")).to_be_visible(timeout=SECONDS)
    expect(it.output(1).locator("table")).to_be_visible()
    assert trouble(it, 1) == []


@pytest.mark.parametrize("count", [3, 6])
def test_wide_columns_of_a_comparison(notebook, count):
    models = [f"column{number}-of-{count}" for number in range(count)]
    setup = "".join(f'script("{each}", scripted.tails("wide-{each}.txt"));' for each in models)
    it = notebook(f"%%agent -s {str(count) * 64} --compare {' '.join(models)}\nGo.", setup=setup)
    it.run(1)
    for each in models:
        it.say(f"wide-{each}.txt", ANSWER)
    expect(it.area(1).get_by_text("The end.")).to_have_count(count, timeout=SECONDS)
    assert trouble(it, 1) == []
    for each in models:
        it.say(f"wide-{each}.txt", "", end=True)
    it.expect_done(1)
    expect(it.answer(1).get_by_role("row")).not_to_have_count(0)
    assert trouble(it, 1) == []


def test_wide_values_and_statistics(notebook):
    it = notebook(
        "%%agent -s wide-value -m typed --type list[Row]\nGo.",
        f"%agent compare --prompts prompts --models {MODEL} {MODEL[:-4]}2025 --score length",
        "_.summary()",
        setup=f"""\
from pydantic import BaseModel
Row = type("Row", (BaseModel,), {{"__annotations__": dict.fromkeys({list(ROW)}, str)}})
script("typed", call("final_result", value=[{ROW!r}] * 3))
script({MODEL!r}, *map(str, range(9)))
script({MODEL[:-4] + "2025"!r}, {ANSWER!r})
prompts = [f"{{number}} {WORD}" for number in range(9)]
def length(answer, row): return len(str(answer));
""",
    )
    for number in (1, 2, 3):
        it.run(number)
        it.expect_done(number)
        expect(it.output(number).locator("table").first).to_be_visible(timeout=SECONDS)
    assert trouble(it, 1, 2, 3) == []
