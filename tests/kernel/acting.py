"""A scripted model that calls tools in a kernel, its approvals, and what the model has received."""

import pytest

from tests.kernel.kernels import comes_true


def acts(kernel, *steps):
    """Register the model `acts` with these steps, and assign it to the kernel's variable `model`."""
    kernel.run(f"model = scripted.acts(*{steps!r}); register_model('acts', model)").ok()


def told(kernel):
    """Return the tool, outcome and text of each call's result in the latest model request."""
    return eval(
        kernel.value(
            "[(part.tool_name, part.outcome, part.model_response_str(wrap_if_error=False))"
            " for message in model.sent[-1] for part in message.parts if part.part_kind == 'tool-return']"
        )
    )


def asked(kernel):
    """Return the prompts in the latest model request."""
    return eval(kernel.value("[p.content for m in model.sent[-1] for p in m.parts if p.part_kind == 'user-prompt']"))


def waiting(kernel):
    """Return the tools of the calls that wait for a decision, by approval id."""
    listed = "get_ipython().run_line_magic('agent', 'approve')"
    return eval(kernel.value(f"{{entry.id: entry.tool for entry in {listed}}}"))


def question(kernel, tool):
    """Wait until a call of this tool is the only one that waits for a decision; return the approval's id."""
    comes_true(lambda: list(waiting(kernel).values()) == [tool])
    (found,) = waiting(kernel)
    return found


def in_background(kernel, session, *options):
    """Start a turn of the model `acts` in the background."""
    kernel.run("_agent = None").ok()
    return kernel.run(f"%%agent -m acts -b -s {session} {' '.join(options)}\ngo").ok()


def until_over(kernel):
    """Wait until the background turn has ended."""
    comes_true(lambda: kernel.value("_agent is not None and _agent.status != 'running'") == "True")


def needs_clicks(kernel):
    if not kernel.has_subshells:
        pytest.skip("this ipykernel has no subshells, so a click waits for the end of the cell")
