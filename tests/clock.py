"""A loop whose clock a test moves, so that no test waits until a time is up."""

import asyncio
import functools

from tests.turns import DEADLINE

STEP = 0.1


class MovedClock(asyncio.SelectorEventLoop):
    """A loop that is so many seconds ahead of the machine's clock."""

    ahead = 0.0

    def time(self):
        return super().time() + self.ahead


def on_a_clock(test):
    """Run an asynchronous test on a loop whose clock `passes` moves, with a deadline."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        with asyncio.Runner(loop_factory=MovedClock) as runner:
            runner.run(asyncio.wait_for(test(*args, **kwargs), DEADLINE))

    return run


async def passes(seconds):
    """Let that much time pass, in steps, so that what waits for a moment in between wakes up then."""
    loop = asyncio.get_running_loop()
    for _ in range(round(seconds / STEP)):
        loop.ahead += STEP
        for _ in range(5):
            await asyncio.sleep(0)
