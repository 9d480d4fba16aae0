"""Make environments in advance: ``python -m tests.matrix [NAME...]``."""

import sys
from contextlib import suppress

from tests.matrix.environments import PACKAGES, OfflineError, made

for name in sys.argv[1:] or PACKAGES:
    with suppress(OfflineError):  # the tests are then skipped, and say why
        made(name)
