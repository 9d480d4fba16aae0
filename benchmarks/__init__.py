"""How fast and how small: ``python -m benchmarks`` measures, ``python -m benchmarks --help`` lists what."""
