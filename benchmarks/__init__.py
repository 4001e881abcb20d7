"""How fast, how much memory, how much CPU, and beside whom: `python -m benchmarks`, with no network."""
