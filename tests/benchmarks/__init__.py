"""What it costs, each figure against its yardstick in one run: `python -m tests.benchmarks`.

The measuring is our own, and not pytest-benchmark's: that times one work after the other, minutes
apart on a machine that others use too, where only a ratio of two works timed in turn means
anything; and most rows here are whole processes. `bench_in_process.py` gives the works that run in
one process to pytest-benchmark, for its histograms and its comparison of two commits.
"""
