"""What it costs, each figure against its yardstick in one run: `python -m tests.benchmarks`."""
