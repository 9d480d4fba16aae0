"""An event loop whose clock a test moves forward, so that no test waits for a timeout."""

import asyncio
import functools

from tests.turns import DEADLINE

STEP = 0.1


class MovedClock(asyncio.SelectorEventLoop):
    """An event loop whose time is `ahead` seconds later than the machine's."""

    ahead = 0.0
    calls = 0
    """How many calls run in its threads."""

    def time(self):
        return super().time() + self.ahead

    def run_in_executor(self, executor, func, *args):
        self.calls += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._returned)
        return future

    def _returned(self, _future):
        self.calls -= 1


class StillClock(MovedClock):
    """An event loop whose time stands still until it is moved, for tests that wait for nothing else."""

    def time(self):
        return self.ahead


def on_a_clock(test, loop=MovedClock):
    """Run an asynchronous test, with a deadline, on a loop whose clock `passes` moves."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(asyncio.wait_for(test(*args, **kwargs), 10 * DEADLINE))

    return run


def on_a_still_clock(test):
    """Run an asynchronous test on a loop whose clock nothing but `passes` moves."""
    return on_a_clock(test, StillClock)


async def passes(seconds):
    """Move the loop's clock forward in small steps, so that timers expire in their order."""
    loop = asyncio.get_running_loop()
    for _ in range(round(seconds / STEP)):
        loop.ahead += STEP
        for _ in range(5):
            await asyncio.sleep(0)


class Ticks:
    """A clock that stands still until a test changes its time."""

    now = 0.0

    def __call__(self):
        return self.now
