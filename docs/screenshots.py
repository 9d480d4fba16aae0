"""Take the pictures of the documentation: `make pictures`. Needs Chromium.

The models in them are scripts, and are called so, so that each picture says it.
"""

import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

HERE = Path(__file__).parent
PICTURES = HERE / "pictures"
sys.path.insert(0, str(HERE.parent))

from tests.browser.conftest import FLAGS, find_chromium  # noqa: E402
from tests.browser.lab import SECONDS, Lab, Notebook  # noqa: E402

CELL = """\
%%agent --model script --session churn
Our churn model has an AUC of 0.98. Name three features that often leak the label,
and how to test for it."""
SHOWN_FIRST = """\
An AUC of 0.98 on churn is almost always **leakage**. These are the usual suspects:

| feature | why it leaks | instead |
|---|---|---|
| `cancellation_reason` | filled in *after* the customer left | drop it |
| `days_since_last_login` | counted to the export date, not to the cut-off $t_0$ | count to $t_0$ |
| `retention_offer_sent` | sent only to customers who had called to cancel | use calls before $t_0$ |

To test for it, fit one feature at a time and look for the ones that are too good to be true:

```python
from sklearn.model_selection import cross_val_score

for name in X.columns:
    auc = cross_val_score(tree, X[[name]], y, scoring="roc_auc").mean()
    if auc > 0.9:  # no honest feature does this alone
"""
SHOWN_LATER = """\
        print(f"{name}: {auc:.2f}")
```

Then train on months before $t_0$ only and score the month after. If the AUC falls from 0.98 to about 0.8, \
the difference was the leak.
"""
PLOT = """\
rates = customers.groupby("contract").churned.mean()
rates.plot.bar(ylabel="churned", rot=0)
"""
COMPARED = """\
%%agent --session churn --compare script-a script-b script-c --out answers
Which of the columns customer_id, age and churned would you drop first, and why?"""
COMPARED_SETUP = """\
for letter in "abc":
    script(f"script-{letter}", scripted.tails(f"script-{letter}.txt"))
"""
COMPARED_ANSWERS = {
    "script-a": "Drop **`customer_id`**. It only numbers the rows, and a tree will learn it by heart.",
    "script-b": """\
**`customer_id`**, for two reasons:

- it says nothing about a *new* customer;
- if the numbers were given in order of time, it leaks the label.
""",
    "script-c": "I would drop `age`, because it is a number.",
}
SETUP = 'script("script", scripted.tails("answer.txt"));\n'
ACTING_SETUP = f"""\
import pandas as pd
customers = pd.DataFrame({{"contract": ["monthly", "yearly"] * 50, "churned": [1, 0, 0, 0] * 25}})
script(
    "script",
    call("list_variables"),
    call("inspect_variable", name="customers"),
    call("run_python", code={PLOT!r}),
    "Done.",
);
"""


def main():
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        lab = Lab(Path(folder))
        try:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
            for take in (take_answer, take_approval, take_comparison):
                take(lab, browser.new_page(viewport={"width": 1016, "height": 1200}))
            browser.close()
        finally:
            lab.close()


def open_notebook(lab, page, name):
    notebook = Notebook(lab, page, name).open().wait_for_kernel().set_up()
    page.evaluate("jupyterapp.commands.execute('application:toggle-left-area')")
    return notebook


def take_answer(lab, page):
    lab.write("churn.ipynb", CELL, setup=SETUP)
    notebook = open_notebook(lab, page, "churn.ipynb")
    notebook.run(1)
    words = SHOWN_FIRST.split(" ")
    for start in range(0, len(words), 8):
        notebook.say("answer.txt", " ".join(words[start : start + 8]) + " " * (start + 8 < len(words)))
        time.sleep(0.3)
    expect(notebook.area(1).get_by_text("does this alone")).to_be_visible(timeout=SECONDS)
    expect(notebook.area(1).locator("mjx-container")).to_have_count(3)
    notebook.cell(1).screenshot(path=PICTURES / "streaming.png")
    notebook.say("answer.txt", SHOWN_LATER, end=True)
    notebook.expect_done(1)
    expect(notebook.answer(1).locator("mjx-container")).to_have_count(4, timeout=SECONDS)
    notebook.cell(1).screenshot(path=PICTURES / "saved.png")


def take_approval(lab, page):
    lab.write(
        "contracts.ipynb",
        "%%agent --model script --session contracts\nDraw the churn rate by contract.",
        setup=ACTING_SETUP,
    )
    notebook = open_notebook(lab, page, "contracts.ipynb")
    notebook.run(1)
    expect(notebook.area(1).get_by_role("button", name="Approve")).to_be_visible(timeout=SECONDS)
    notebook.cell(1).screenshot(path=PICTURES / "approval.png")


def take_comparison(lab, page):
    lab.write("compare.ipynb", COMPARED, setup=COMPARED_SETUP)
    notebook = open_notebook(lab, page, "compare.ipynb")
    notebook.run(1)
    for model, text in COMPARED_ANSWERS.items():
        notebook.say(f"{model}.txt", text, end=True)
    notebook.expect_done(1)
    expect(notebook.answer(1).get_by_role("row").first).to_be_visible(timeout=SECONDS)
    notebook.cell(1).screenshot(path=PICTURES / "comparison.png")


if __name__ == "__main__":
    main()
