"""A scripted model that calls tools in a kernel, the questions that its calls ask, and what it was told of them."""

import pytest

from tests.kernel.kernels import comes_true


def acts(kernel, *steps):
    """Register the model `acts`, which takes these steps; the kernel's variable `model` is it."""
    kernel.run(f"model = scripted.acts(*{steps!r}); register_model('acts', model)").ok()


def told(kernel):
    """What the model was told of its calls with its latest request: tool, outcome and text of each."""
    return eval(
        kernel.value(
            "[(part.tool_name, part.outcome, part.model_response_str(wrap_if_error=False))"
            " for message in model.sent[-1] for part in message.parts if part.part_kind == 'tool-return']"
        )
    )


def asked(kernel):
    """The prompts that the model was sent with its latest request."""
    return eval(kernel.value("[p.content for m in model.sent[-1] for p in m.parts if p.part_kind == 'user-prompt']"))


def waiting(kernel):
    """Tools by ids of the calls that wait for a yes."""
    listed = "get_ipython().run_line_magic('agent', 'approve')"
    return eval(kernel.value(f"{{entry.id: entry.tool for entry in {listed}}}"))


def question(kernel, tool):
    """Wait until a call of that tool, and no other call, waits for a yes; return the question's id."""
    comes_true(lambda: list(waiting(kernel).values()) == [tool])
    (found,) = waiting(kernel)
    return found


def in_background(kernel, session, *options):
    """Have `acts` go to work in the background."""
    kernel.run("_agent = None").ok()
    return kernel.run(f"%%agent -m acts -b -s {session} {' '.join(options)}\ngo").ok()


def until_over(kernel):
    """Wait until the background turn is over."""
    comes_true(lambda: kernel.value("_agent is not None") == "True")


def needs_clicks(kernel):
    if not kernel.has_subshells:
        pytest.skip("this ipykernel has no subshells, so a click waits for the end of the cell")
