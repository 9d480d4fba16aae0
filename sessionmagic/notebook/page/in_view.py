"""What a page keeps in sight: the head of a running turn, what asks the user, and how a show goes on.

The head sticks to the top of the page by a style. What asks is brought into view once, for which HTML has no style, by
the load event of an element: no front end needs to have a part of ours for that, and where no script runs, the page
only does not move. The keyboard stays where it is, so that no key that is typed elsewhere can approve anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionmagic.notebook.page.pieces import column

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD = "sessionmagic-head"
ASKS = "sessionmagic-asks"
WORK = "sessionmagic-work"
STYLE = f"""<style>
.{HEAD} {{ position: sticky; top: 0; z-index: 3; background: var(--jp-layout-color0, Canvas) }}
.jupyter-widgets:has(> .{HEAD}), .jp-OutputArea-output:has(> * > .{HEAD}), .jp-OutputArea-child:has(.{HEAD}),
.jp-Cell:not(.jp-mod-outputsScrolled) > * > .jp-OutputArea:has(.{HEAD}) {{ overflow: visible; min-width: 0 }}
.{ASKS} {{ scroll-margin: 3em 0 1em }}
:is(.{ASKS}, .{HEAD}) .jupyter-button.jupyter-button:focus-visible {{
  outline: 2px solid var(--jp-ui-font-color1, currentColor); outline-offset: 0 }}
.{WORK} .jupyter-widget-Collapse-contents {{ background: var(--jp-layout-color0, Canvas) }}
</style>"""
"""Lets a head stick to the top of the page, shows which button has the focus, and gives the work of a sub-agent the
background of the page, which its code has.

Nothing around a head may scroll, nor grow with what is in it. What is wide scrolls in a box of its own, within the
answer.
"""
GOES_ON = "sessionmagic-goes-on"
GOES_ON_STYLE = f"""<style>
.{GOES_ON} {{ align-items: center; gap: 0.6em }}
.jp-OutputArea-child:has(.{GOES_ON}) {{ position: sticky; top: 0; z-index: 4;
  background: var(--jp-layout-color0, Canvas) }}
.jp-Cell:not(.jp-mod-outputsScrolled) > * > .jp-OutputArea:has(.{GOES_ON}) {{ overflow: visible }}
.jp-OutputArea:has(.{GOES_ON}) .{HEAD} {{ top: 2.8em }}
</style>"""
"""Lets the output with the button of a show stick to the top of the page, above the head of the turn that is shown."""
FOLLOW = """<style data-step="{step}" onload="\
const area = this.closest('.jp-OutputArea');
setTimeout(() => {{
  const end = area?.lastElementChild;
  if (end?.getBoundingClientRect().bottom > innerHeight - 50) end.scrollIntoView({{block: 'end'}});
}}, 300)\
"></style>"""
"""Brings the end of the outputs of a cell into view after a step of a show, once the page has them."""
SHOW = """<style onload="\
const asks = this.closest('.{asks}'), shown = window.sessionmagicShown ??= new Set();
const show = () => {{
  if (!asks.getClientRects().length) return false;
  if (!shown.has('{id}')) asks.scrollIntoView({{block: 'nearest'}});
  return shown.add('{id}');
}};
setTimeout(() => show() || new ResizeObserver((_, observer) => show() && observer.disconnect()).observe(asks), 100)\
"></style>"""
"""Brings what asks into view once it has a place on the page, which it may not have while its tab is hidden.

It may be moved on the page, and shown twice, so the page keeps what it has brought into view.
"""


def asking(asked_id: str, children: Iterable[Any]) -> Any:
    """Return a column that asks the user something, and comes into view once.

    Args:
        asked_id: The id of the approval or the question.
        children: The widgets of the column.
    """
    from ipywidgets import HTML

    show = HTML(SHOW.format(asks=ASKS, id=asked_id), layout={"display": "none"})
    asks = column(*children, show)
    asks.add_class(ASKS)
    return asks
