"""Lists fit a page that is 900 pixels wide."""

SETUP = 'script("anthropic:claude-haiku-4-5-20251001", ["A short answer."]);'
OVER = """output => [...output.querySelectorAll('.jp-OutputArea-output table')].map(
    table => table.getBoundingClientRect().right - table.closest('.jp-OutputArea-output').getBoundingClientRect().right
).filter(over => over > 0)"""
NARROW = [
    "%agent",
    "%agent usage 'narrow churn of customers in 2026' --by turn",
    "%agent tools",
    "%agent models",
    "%agent config",
    "%agent context",
    "%agent branches",
    "%agent search harvest",
    "%agent permissions --deny run_python --ask insert_cell",
]


def test_lists_fit_beside_the_files(notebook, page):
    asked = [
        f"%%agent -m anthropic:claude-haiku-4-5-20251001 -s 'narrow {name}'\nAnswer {name}: what was the harvest?"
        for name in ("churn of customers in 2026", "b")
    ]
    page.set_viewport_size({"width": 900, "height": 1400})
    try:
        it = notebook(*asked, *NARROW, setup=SETUP)
        for number in range(1, len(asked) + len(NARROW) + 1):
            it.run(number)
            it.expect_done(number)
        for number in range(1 + len(asked), 1 + len(asked) + len(NARROW)):
            assert it.output(number).locator("table").count() == 1
            assert it.output(number).evaluate(OVER) == [], NARROW[number - 1 - len(asked)]
    finally:
        page.set_viewport_size({"width": 1000, "height": 1400})
