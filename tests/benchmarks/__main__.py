"""Print the table; exit with 1 where a row is more than a quarter past its budget."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.benchmarks import endpoint, failing, growth, in_process, processes, queues
from tests.benchmarks.measuring import TOLERANCE, Row
from tests.benchmarks.report import HEADER, over_budget, plot, table
from tests.benchmarks.wheel import ROOT, installed_wheel

PAGE: Final = ROOT / "docs" / "performance.md"
PICTURE: Final = (
    "![The first rows, each as a dot: its figure as a multiple of its budget](performance.svg)"
)
MARKS: Final = ("<!-- the figures begin -->\n", "<!-- the figures end -->\n")


def main() -> int:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "--only",
        default="abcdefghij",
        metavar="LETTERS",
        help="the parts to measure, such as bcde (default: all)",
    )
    parser.add_argument(
        "--tests", type=int, default=200, help="how many tests a suite of part g has"
    )
    parser.add_argument(
        "--write", action="store_true", help="write the table and the plot into docs/ too"
    )
    options = parser.parse_args()
    machine = described()
    print(machine, HEADER, sep="\n\n", flush=True)
    rows: list[Row] = []
    modules: list[str] = []
    for row in measured(options.only, options.tests, modules):
        rows.append(row)
        print(table([row]).rpartition("\n")[2], flush=True)
    if modules:
        print(f"\nthe plugin's import adds: {', '.join(modules)}")
    if options.write:
        rows.sort(key=lambda row: row.part)
        write(PAGE, page(machine, rows), plot([row for row in rows if row.is_first]))
    failures = [row for row in rows if row.is_failure]
    for row in failures:
        print(f"more than {TOLERANCE} x its budget: ({row.part}) {row.what} / {row.against}")
    return int(bool(failures))


def measured(parts: str, tests: int, modules: list[str]) -> Iterator[Row]:
    """Measure the parts, and note which modules the plugin's import adds."""
    yield from in_process.rows(parts)
    if "f" in parts:
        yield from queues.rows()
    if "i" in parts:
        yield from growth.rows()
        yield from failing.rows()
    if "j" in parts:
        yield from endpoint.rows()
    if set(parts) & set("ag"):
        with installed_wheel() as python:
            yield from processes.rows(python, parts, tests)
            modules += processes.imported_modules(python)


def described() -> str:
    """Say what this is measured on."""
    names = ("pytest", "boto3", "moto", "Faker")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    system = f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores"
    return f"{system}; Python {platform.python_version()}, {versions}."


def page(machine: str, rows: list[Row]) -> str:
    """Give what the page says of a run: a picture and the first rows, then all."""
    return (
        f"Measured on {machine}\n\n{PICTURE}\n\n{table([row for row in rows if row.is_first])}\n\n"
        f"{over_budget(rows)}\n\n## All rows\n\n{table(rows)}\n"
    )


def write(page: Path, figures: str, drawn: str) -> None:
    """Put the figures between the page's marks, and the plot beside it."""
    begin, end = MARKS
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n{figures}\n{end}{after}", encoding="utf-8")
    page.with_suffix(".svg").write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
