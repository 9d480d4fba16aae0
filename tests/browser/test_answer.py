"""How an answer looks: tables, math and code, in both themes, live, saved and in a stranger's notebook."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.lab import SECONDS

ANSWER = r"""# Leakage

Let $p = \sigma(w^\top x)$ be the *score*; the loss is

$$
\mathcal{L} = -\sum_i y_i \log p_i
$$

It costs $5 to $10 a month, and `$x$` stays code.

| feature | leaks | from |
|:--|:-:|--:|
| `cancel_date` | yes | 3 |
| `calls` | no | 12 |

```python
@cached
def load(path: str = "churn.csv") -> int:
    # one row a customer
    return len(open(path).readlines()) + 1
```

```bash
for f in *.csv; do echo "$f"; done  # all
```

```json
{"auc": 0.98, "leak": true}
```

1. first
2. second
"""

CONTRASTS = """pre => {
    const probe = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const rgba = colour => {
        probe.clearRect(0, 0, 1, 1); probe.fillStyle = colour; probe.fillRect(0, 0, 1, 1);
        return [...probe.getImageData(0, 0, 1, 1).data];
    };
    const luminance = colour => {
        const [r, g, b] = rgba(colour).slice(0, 3).map(c => c / 255).map(
            c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    let ground = pre;
    while (rgba(getComputedStyle(ground).backgroundColor)[3] < 255) ground = ground.parentElement;
    const behind = luminance(getComputedStyle(ground).backgroundColor);
    return [pre, ...pre.querySelectorAll("code, span")].map(e => {
        const front = luminance(getComputedStyle(e).color);
        return [e.textContent, (Math.max(front, behind) + 0.05) / (Math.min(front, behind) + 0.05)];
    });
}"""


def expect_all_of_it(it, number=1):
    answer = it.answer(number)
    expect(answer.get_by_role("heading", name="Leakage")).to_be_visible(timeout=SECONDS)
    expect(answer.locator("mjx-container")).to_have_count(2, timeout=SECONDS)
    expect(answer.locator("mjx-merror")).to_have_count(0)
    expect(answer.get_by_text("It costs $5 to $10 a month")).to_be_visible()
    expect(answer.locator("p code", has_text="$x$")).to_be_visible()
    expect(answer.locator("table")).to_have_count(1)
    assert answer.locator("td").all_inner_texts() == ["cancel_date", "yes", "3", "calls", "no", "12"]
    aligned = answer.locator("tbody tr:first-child td").evaluate_all(
        "all => all.map(e => getComputedStyle(e).textAlign)"
    )
    assert aligned == ["left", "center", "right"]
    expect(answer.locator("ol > li")).to_have_count(2)
    codes = answer.locator("pre")
    assert [code.rstrip("\n") for code in codes.all_inner_texts()] == re.findall(
        r"```\w+\n(.*?)\n```", ANSWER, re.DOTALL
    )
    for code in codes.all():
        contrasts = code.evaluate(CONTRASTS)
        assert len({round(contrast, 3) for _, contrast in contrasts}) > 1, "nothing is coloured"
        assert min(contrast for _, contrast in contrasts) >= 3.5, sorted(contrasts, key=lambda pair: pair[1])[:4]


@pytest.fixture
def light_again(page):
    yield
    page.evaluate("jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")


@pytest.mark.usefixtures("light_again")
def test_math_table_and_code_come_out_right_in_light_and_dark(notebook):
    it = notebook("%%agent -s looks -m rich\nShow all.", setup=f'script("rich", {ANSWER!r});\n')
    it.run(1)
    it.expect_done(1)
    expect_all_of_it(it)
    it.use_theme("Dark")
    expect_all_of_it(it)
    it.save()
    copy = it.colleagues_copy().open_without_kernel()
    expect_all_of_it(copy)
    copy.use_theme("Light")
    expect_all_of_it(copy)


def test_long_answer_is_all_there_live_and_at_the_end(notebook):
    setup = 'script("tail", scripted.tails("long.txt"));\n'
    it = notebook("%%agent -s long -m tail\nTalk.", setup=setup)
    it.run(1)
    paragraphs = "".join(f"Paragraph {number} says {'so ' * 40}.\n\n" for number in range(200))
    it.say("long.txt", paragraphs)
    it.say("long.txt", "```python\n" + "".join(f"x{line} = {line}  # line\n" for line in range(150)))
    expect(it.area(1).get_by_text("x149 = 149")).to_be_attached(timeout=SECONDS)
    seen = re.findall(r"Paragraph (\d+) says", it.area(1).first.inner_text())
    assert seen == [str(number) for number in range(200)]
    it.say("long.txt", "```\n\nThe end.", end=True)
    it.expect_done(1)
    expect(it.answer(1).get_by_text("The end.")).to_be_attached(timeout=SECONDS)
    assert re.findall(r"Paragraph (\d+) says", it.answer(1).inner_text()) == seen
    expect(it.answer(1).locator("pre")).to_contain_text("x149 = 149")
