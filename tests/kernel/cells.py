"""A cell and its output, as a front end sees them."""

import re
import time
from html import unescape

from sessionmagic.notebook.page.static import NOTHING_STARTED
from sessionmagic.notebook.page.tool_row import ALWAYS_EVERYTHING

PATIENCE = 60.0
SOON = 20.0
"""Time enough, on a slow machine too, for what does not wait for something that takes a minute."""
WIDGET = "application/vnd.jupyter.widget-view+json"


class Cell:
    """An execute request with its reply and its messages, including those that arrive after its end."""

    def __init__(self, kernel, msg_id, code):
        self.kernel = kernel
        self.msg_id = msg_id
        self.code = code
        self.sent_at = time.monotonic()
        self.idle_at = None
        self.messages = []
        self.reply = None

    @property
    def done(self):
        return self.reply is not None and (self.idle_at is not None or self.status == "aborted")

    def wait(self, timeout=PATIENCE):
        self.kernel.until(lambda: self.done, timeout, self)
        return self

    def until(self, condition, timeout=PATIENCE):
        """Wait until the condition holds for this cell."""
        self.kernel.until(lambda: condition(self), timeout, self)
        return self

    def until_shows(self, text, timeout=PATIENCE):
        """Wait until the text appears under the cell."""
        return self.until(lambda cell: text in cell.words or text in cell.text, timeout)

    @property
    def status(self):
        return self.reply["status"]

    @property
    def ename(self):
        return self.reply.get("ename")

    @property
    def evalue(self):
        return self.reply.get("evalue")

    @property
    def traceback(self):
        return "\n".join(self.reply.get("traceback", []))

    @property
    def seconds(self):
        return self.idle_at - self.sent_at

    def contents(self, *kinds):
        return [message["content"] for message in self.messages if message["msg_type"] in kinds]

    @property
    def number(self):
        """The execution count, shown in brackets beside the cell."""
        return self.contents("execute_input")[0]["execution_count"]

    @property
    def outputs(self):
        """The outputs under the cell now, with updates and clears applied, but without the footers of turns.

        A machine that is slow opens the area of a turn that does not start; what is left of it is not returned either.
        """
        return [
            output for output in self.everything if not (_footer(output) or output.get("data") == NOTHING_STARTED.data)
        ]

    @property
    def everything(self):
        """The outputs under the cell now, with updates and clears applied. None of them is empty."""
        shown, clearing = [], False
        for message in self.messages:
            kind, content = message["msg_type"], message["content"]
            if kind == "clear_output":
                clearing = content["wait"]
                shown = shown if clearing else []
            elif kind in {"stream", "display_data", "execute_result", "error"}:
                shown = [] if clearing else shown
                clearing = False
                if kind == "stream" and shown and shown[-1].get("name") == content["name"]:  # shown as one
                    shown[-1] = {**shown[-1], "text": shown[-1]["text"] + content["text"]}
                else:
                    shown.append({"type": kind, **content})
            elif kind == "update_display_data":
                for output in shown:
                    if output.get("transient", {}).get("display_id") == content["transient"]["display_id"]:
                        output.update(content)
        assert all(output["data"] and all(output["data"].values()) for output in shown if "data" in output), shown
        return shown

    @property
    def text(self):
        """The outputs under the cell now, as plain text."""
        parts = []
        for output in self.outputs:
            if output["type"] == "error":
                parts.append("\n".join(output["traceback"]))
            elif output["type"] == "stream":
                parts.append(output["text"])
            elif WIDGET not in output["data"]:
                parts.append(output["data"]["text/plain"])
        return "\n".join(parts)

    @property
    def html(self):
        return "\n".join(output["data"].get("text/html", "") for output in self.everything if "data" in output)

    @property
    def answer(self):
        """The static answer. Fails if there is any other output."""
        (output,) = self.outputs
        assert output["type"] == "display_data", output
        assert WIDGET not in output["data"], output
        return output

    @property
    def displays(self):
        """What code has displayed: the outputs with content by MIME type that are not part of a turn's answer."""
        return [output for output in self.outputs if "data" in output and "sessionmagic" not in output["metadata"]]

    @property
    def footer(self):
        """The footer of the turn."""
        (output,) = filter(_footer, self.everything)
        return output

    @property
    def widgets(self):
        """The states of the cell's widgets by comm id."""
        states = {}
        for message in self.messages:
            content = message["content"]
            if message["msg_type"] == "comm_open":
                states[content["comm_id"]] = dict(content["data"].get("state", {}))
            elif message["msg_type"] == "comm_msg" and content["data"].get("method") == "update":
                states.setdefault(content["comm_id"], {}).update(content["data"]["state"])
        return states

    @property
    def area(self):
        """The HTML of the widgets in the live area."""
        kinds = {"HTMLModel", "HTMLMathModel"}
        return "\n".join(state["value"] for state in self.widgets.values() if state.get("_model_name") in kinds)

    @property
    def words(self):
        """The text in the live area, without tags and styles."""
        return unescape(re.sub(r"<style>.*?</style>|<[^>]*>", "", self.area, flags=re.DOTALL))

    def button(self, description, at=0):
        """Return the comm id of the button with this description; `at` chooses between several."""
        return [key for key, state in self.widgets.items() if state.get("description") == description][at]

    def box(self, placeholder, at=0):
        """Return the comm id of the text box whose placeholder contains this text; `at` chooses between several."""
        return [key for key, state in self.widgets.items() if placeholder in str(state.get("placeholder"))][at]

    def until_asks(self, times=1):
        """Wait until this many calls wait for a decision."""

        def asking(cell):
            return [state for state in cell.widgets.values() if state.get("description") == ALWAYS_EVERYTHING]

        return self.until(lambda cell: len(asking(cell)) >= times)

    def ok(self):
        assert self.status == "ok", self.traceback
        return self


def _footer(output):
    return output.get("metadata", {}).get("sessionmagic", {}).get("part") == "footer"
