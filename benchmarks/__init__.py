"""Speed benchmarks: ``python -m benchmarks --help``; what they measure and how is told in ``docs/benchmarks.md``."""
