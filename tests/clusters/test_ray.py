"""Grids that a Ray cluster asks. Ray gives up a start that takes 30 s, so no other test runs beside this one."""

from concurrent.futures import Executor

import pytest
import ray

from tests.comparing.test_executors import asked, check, server

__all__ = ["asked", "server"]  # the fixtures


class RayExecutor(Executor):
    """The executor that the documentation shows."""

    def submit(self, function, /, *arguments):
        return ray.remote(function).remote(*arguments).future()


@pytest.mark.once
def test_a_ray_cluster_asks(asked, server):
    ray.init(num_cpus=1, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False)
    try:
        check(asked(RayExecutor()), server)
    finally:
        ray.shutdown()
