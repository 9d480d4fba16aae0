"""Lists fit a page that is 900 pixels wide, beside JupyterLab's files, and scroll on a narrower one."""

from tests.browser.measuring import trouble

MODEL = "anthropic:claude-haiku-4-5-20251001"
SETUP = f"""\
%config AgentMagics.store = "lists"
script("breaks", ["Half", ValueError("no more")])
script("{MODEL}", ["A short answer."]);
"""
CHURN = "narrow churn of customers in 2026"
LONG = "narrow-" + "n" * 57
OVER = """output => {
    const room = output.querySelector('.jp-OutputArea-output');
    const edge = room.getBoundingClientRect().right - parseFloat(getComputedStyle(room).paddingRight);
    return [...room.querySelectorAll('table')].map(
        table => table.getBoundingClientRect().right - edge).filter(over => over > 1);
}"""
LISTS = [
    "%agent",
    "%agent sessions",
    f"%agent usage '{CHURN}' --by turn",
    *(f"%agent usage --all --by {what}" for what in ("turn", "request", "agent", "model", "day", "session")),
    "%agent tools",
    "%agent models",
    "%agent models --all",
    "%agent config",
    "%agent context",
    "%agent branches",
    "%agent search harvest",
    f"%agent permissions {LONG} --deny run_python:code=*{'long' * 20}* --ask insert_cell",
]


def test_lists_fit_beside_the_files(notebook, page):
    asked = [
        f"%%agent -m {MODEL} -s '{name}'\nAnswer {name}: what was the harvest?" for name in (LONG, CHURN, "narrow b")
    ]
    asked.append(f"%%agent -m breaks --once -s {LONG}\nGo on.")  # its usage is not known
    lists = range(1 + len(asked), 1 + len(asked) + len(LISTS))
    page.set_viewport_size({"width": 900, "height": 1400})
    try:
        it = notebook(*asked, *LISTS, setup=SETUP)
        for number in range(1, lists.stop):
            it.run(number)
            it.expect_done(number)
        for number, line in zip(lists, LISTS, strict=True):
            it.cell(number).scroll_into_view_if_needed()
            assert it.output(number).locator("table").count() == 1
            assert it.output(number).evaluate(OVER) == [], line
        assert trouble(it, *lists) == []
    finally:
        page.set_viewport_size({"width": 1000, "height": 1400})
