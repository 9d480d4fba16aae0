"""Measure one part of a group with the `sessionmagic` of the current directory, and print its figures as JSON.

`benchmarks.against` starts this in a process of its own for each side and round. The benchmarks are those of today on
both sides, so a part uses only what both revisions have; where it cannot, its figures are not in the older revision.
"""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import subjects
from benchmarks.figures import Figure, Sample

if TYPE_CHECKING:
    from collections.abc import Callable


def parts_of(group: str) -> dict[str, Callable[[int], list[Figure]]]:
    """Return the parts of a group by name: its `PARTS`, or all of it as one part. `GROUP:PART` names one of them.

    Raises `KeyError` for a part that the group does not have.
    """
    group, _, part = group.partition(":")
    module = importlib.import_module(f"benchmarks.{group}")
    parts = getattr(module, "PARTS", None) or {"": module.measure}
    return {part: parts[part]} if part else parts


def figures_in(output: str) -> list[Figure]:
    """Return the figures that this module has printed; raises `ValueError` if there are none."""
    last = output.splitlines()[-1] if output.strip() else ""
    return [_figure(each) for each in json.loads(last)]


def _figure(fields: dict[str, Any]) -> Figure:
    return Figure(fields["what"], Sample(**fields["measured"]), fields["at_most"], fields["at_least"])


def main(group: str, part: str, runs: str) -> None:
    import sessionmagic

    package, here = Path(sessionmagic.__file__ or ""), Path.cwd()
    if not package.is_relative_to(here):
        raise RuntimeError(f"{package} would be measured instead of the package in {here}")
    subjects.left_out.update(subjects.RIVALS)  # they are the same on both sides
    print(json.dumps([asdict(figure) for figure in parts_of(group)[part](int(runs))]))


if __name__ == "__main__":
    main(*sys.argv[1:])
