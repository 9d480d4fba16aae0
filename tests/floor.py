"""Print how much of the core the tests run, and fail when they run too little of one of its modules.

`make test` measures, by lines and branches, all tests but those of kernels, notebooks and the browser.
What no test can run is excluded where it stands, with the reason.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from coverage import Coverage

FLOOR = 95.0


def low(report, floor):
    """Return the modules below the floor, with their percentages, from coverage's report as JSON."""
    covered = {module: about["summary"]["percent_covered"] for module, about in report["files"].items()}
    return {module: percent for module, percent in sorted(covered.items()) if percent < floor}


def main():
    coverage = Coverage()
    coverage.load()
    coverage.report()
    with TemporaryDirectory() as directory:
        file = Path(directory, "coverage.json")
        coverage.json_report(outfile=str(file))
        found = low(json.loads(file.read_text()), FLOOR)
    for module, percent in found.items():
        print(f"{module}: {percent:.1f} % of it is run by tests, less than {FLOOR:g} %")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
