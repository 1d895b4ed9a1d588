"""Print the table; exit with 1 when a budget is not met."""

from __future__ import annotations

import sys

from tests.benchmarks import in_process, processes
from tests.benchmarks.measuring import table


def main() -> int:
    """Measure everything."""
    rows = [in_process.document(), *in_process.call(), *in_process.entering()]
    rows += [in_process.whole_test(), *in_process.polling(), in_process.checks()]
    rows += processes.rows()
    print(table(rows))
    import_time, memory = processes.import_time(), in_process.memory()
    print(f"\nthe plugin's import at pytest's start: {import_time * 1000:.1f} ms (budget 5)")
    print(f"a queued job: {memory:.0f} bytes (budget 2048)")
    over = [row for row in rows if row.budget is not None and row.ratio > row.budget]
    return int(bool(over) or import_time > 0.005 or memory > 2048)


if __name__ == "__main__":
    sys.exit(main())
