"""Benchmarks: ``python -m tests.bench`` prints the table of README.md."""
