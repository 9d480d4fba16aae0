"""Measure times and sizes: run ``python -m benchmarks``, or see ``python -m benchmarks --help``."""
