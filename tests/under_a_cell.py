"""What a page shows under a cell, for tests of the views that make outputs."""

from sessionmagic.notebook.output import Output


class Page:
    """What a page shows under the cell, and the bytes that were sent to it."""

    def __init__(self, monkeypatch):
        self.shown, self.sent = [], 0
        monkeypatch.setattr(Output, "display", lambda output, **_: self.add(output))
        monkeypatch.setattr("sessionmagic.notebook.page.slots.clear_output", lambda **_: self.shown.clear())

    def add(self, output):
        at, page = len(self.shown), self
        self.shown.append(None)
        self.put(at, output.data)

        class Handle:
            def update(self, data, **_):
                page.put(at, data)

        return Handle()

    def put(self, at, data):
        self.shown[at] = data
        self.sent += sum(map(len, data.values()))

    @property
    def text(self):
        return "".join(data.get("text/html", "") for data in self.shown)
