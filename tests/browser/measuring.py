"""What in an output of ours is wider than its place, cut, or broken within words."""

WIDTHS = (550, 900, 1400)
SETTLED = """() => new Promise(settled => {
    const look = before => setTimeout(() => {
        const now = document.querySelector('.jp-Notebook').getBoundingClientRect().right;
        now === before && now <= window.innerWidth ? settled(true) : look(now);
    }, 60);
    look();
})"""
"""Wait until the notebook has the width that fits the window."""
TROUBLE = r"""output => {
    const found = new Set();
    const said = part => `${part.localName} ${JSON.stringify(part.textContent.trim().slice(0, 40))}`;
    const style = part => getComputedStyle(part);
    const isOver = part => part.scrollWidth > part.clientWidth + 1;
    const scrolls = part => ['auto', 'scroll'].includes(style(part).overflowX) && isOver(part);
    const isCut = part => ['hidden', 'clip'].includes(style(part).overflowX) && isOver(part);
    const right = part => part.getBoundingClientRect().right;
    const isSeen = part => Math.min(part.offsetWidth, part.offsetHeight) > 1 && part.checkVisibility();

    if (isOver(document.scrollingElement)) found.add('the page scrolls');
    for (let around = output; around !== document.body; around = around.parentElement) {
        if (scrolls(around)) found.add(`what is around the output scrolls: ${around.className}`);
    }
    // JupyterLab's own box of an output scrolls if anything in it is too wide; ours scroll around what is wide
    const look = (part, ours) => {
        if (part instanceof HTMLElement && !isSeen(part)) return;
        if (scrolls(part) && !ours) found.add(`${said(part)} scrolls by ${part.scrollWidth - part.clientWidth}`);
        if (isCut(part)) found.add(`${said(part)} is cut`);
        if (right(part) > right(output) + 1) return found.add(`${said(part)} is too wide`);
        if (scrolls(part) || part.matches('mjx-container, input')) return;
        for (const child of part.children) look(child, !child.matches('.jupyter-widgets'));
    };
    const outputs = [...output.querySelectorAll('.jp-RenderedHTML, .jupyter-widgets')];
    outputs.forEach(each => look(each, false));

    const lines = range => new Set([...range.getClientRects()].filter(each => each.width).map(each => each.top)).size;
    const length = range => [...range.getClientRects()].reduce((sum, each) => sum + each.width, 0);
    for (const code of outputs.flatMap(each => [...each.querySelectorAll('pre')])) {
        const texts = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
        for (let text = texts.nextNode(); text; text = texts.nextNode()) {
            const whole = style(text.parentElement).whiteSpace !== 'pre';  // then only what is too long may be broken
            if (whole && code.querySelector('code')) found.add(`lines are broken in ${said(code)}`);
            for (const word of text.data.matchAll(/\S+/g)) {
                const range = new Range();
                range.setStart(text, word.index);
                range.setEnd(text, word.index + word[0].length);
                const mayBreak = whole && length(range) > code.clientWidth - 4;
                if (lines(range) > 1 && !mayBreak) found.add(`${word[0].slice(0, 30)} is broken in ${said(code)}`);
            }
        }
    }
    return [...found];
}"""
"""Find in an output what widens, leaves or overflows its place."""


def at_each_width(page, measure):
    """Return all that `measure` finds while the page is as wide as each of `WIDTHS`, with the width before it."""
    size, found = page.viewport_size, []
    try:
        for width in WIDTHS:
            page.set_viewport_size({**size, "width": width})
            page.evaluate(SETTLED)
            found += [f"at {width}: {each}" for each in measure()]
    finally:
        page.set_viewport_size(size)
    return found


def trouble(it, *numbers):
    """Return in words what is wider than its place under these cells of a notebook, cut, or broken within words."""

    def measure():
        for number in numbers:
            it.cell(number).scroll_into_view_if_needed()
            yield from (f"cell {number}: {each}" for each in it.output(number).evaluate(TROUBLE))

    return at_each_width(it.page, measure)
