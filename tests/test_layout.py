"""The package's folders are floors: imports go one way, and never in a circle.

Every import counts, wherever it stands: one inside a function saves time at pytest's start, and one
under `if TYPE_CHECKING:` names a type, but both are read as "this module knows that one". What does
not count is that importing a module runs the packages it is in, and the public names that
`pytest_cpjob/__init__.py` looks up by string: it imports each of them for type checkers too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import pytest_cpjob

FLOORS = (
    "errors",
    "defaults",
    "settings",
    "requirements",
    "patching",
    "variables",
    "threads",
    "call_sites",
    "aws",
    "iam",
    "documents",
    "service",
    "strategies",
    "artifacts",
    "clients",
    "contract",
    "report",
    "virtual_time",
    "sweeps",
    "job_builder",
    "harness",
    "runners",
    "job",
    "pipelines",
    "stub",
    "endpoint",
    "__init__",
    "cli",
    "plugin",
    "__main__",
)
"""The modules and folders of the package, each importing from itself and from those before it."""


class Import(NamedTuple):
    """One module importing another, and the line it does so in."""

    importer: str
    imported: str
    line: int

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


def modules_of(package: Path) -> dict[str, Path]:
    """The package's modules by their dotted names."""
    return {
        ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(
            ".__init__"
        ): path
        for path in sorted(package.rglob("*.py"))
    }


def imported_names(node: ast.AST, package: list[str]) -> Iterator[tuple[str, str]]:
    """What an import statement may mean: a name's module, and the name as a module of its own."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        parent = package[: len(package) + 1 - node.level] if node.level else []
        source = ".".join([*parent, *filter(None, [node.module])])
        yield from ((source, f"{source}.{alias.name}") for alias in node.names)


def imports_of(package: Path) -> list[Import]:
    """Every import of one of the package's modules by another."""
    modules = modules_of(package)
    found = []
    for importer, path in modules.items():
        parts = importer.split(".")
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for source, name in imported_names(
                node, parts if path.stem == "__init__" else parts[:-1]
            ):
                imported = name if name in modules else source
                if imported in modules:
                    found.append(Import(importer, imported, node.lineno))
    return found


def circle_in(imports: list[Import]) -> list[str]:
    """The modules of a circle, the first again at the end; empty without one."""
    graph: dict[str, set[str]] = {}
    for each in imports:
        graph.setdefault(each.importer, set()).add(each.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])[::-1]
    return []


def floor_of(module: str, floors: Mapping[str, int]) -> int:
    """The number of the floor that a module is on; a module outside of all is a KeyError."""
    _, _, inside = module.partition(".")
    return floors[inside.partition(".")[0] or "__init__"]


def against_the_floors(imports: list[Import], floors: tuple[str, ...]) -> list[str]:
    """The imports from a floor that comes after the importer's own."""
    numbers = {name: number for number, name in enumerate(floors)}
    return [
        str(each)
        for each in imports
        if floor_of(each.imported, numbers) > floor_of(each.importer, numbers)
    ]


IMPORTS = imports_of(Path(pytest_cpjob.__file__).parent)


def test_no_imports_go_in_a_circle() -> None:
    assert circle_in(IMPORTS) == []


def test_no_module_imports_from_a_later_floor() -> None:
    assert against_the_floors(IMPORTS, FLOORS) == []


def test_every_module_and_folder_is_a_floor() -> None:
    modules = modules_of(Path(pytest_cpjob.__file__).parent)
    numbers = {name: number for number, name in enumerate(FLOORS)}
    assert [floor_of(module, numbers) for module in modules]
    assert len(IMPORTS) > 300  # a checker that sees nothing finds nothing


# -- the checks themselves -------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of two floors, `low` and `high`, without a fault."""
    for name, text in {
        "__init__.py": "",
        "low/__init__.py": "",
        "low/a.py": "import os\n",
        "low/b.py": "from house.low import a\n",
        "high.py": "import house.low.a\nfrom .low.b import something\n",
    }.items():
        path = tmp_path / "house" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return tmp_path / "house"


def test_a_package_in_order_passes(package: Path) -> None:
    imports = imports_of(package)

    assert [str(each) for each in imports] == [
        "house.high:1 imports house.low.a",
        "house.high:2 imports house.low.b",
        "house.low.b:1 imports house.low.a",
    ]
    assert circle_in(imports) == []
    assert against_the_floors(imports, ("low", "high")) == []


IN_A_FUNCTION = "def f():\n    {}\n"
FOR_TYPES = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    {}\n"


@pytest.mark.parametrize(
    "place", ["{}\n", IN_A_FUNCTION, FOR_TYPES], ids=["top", "function", "type"]
)
@pytest.mark.parametrize(
    "statement",
    [
        "import house.high",
        "import os, house.high as top",
        "from house import high",
        "from house.high import something",
        "from .. import high",
        "from ..high import something",
    ],
)
def test_an_import_from_a_later_floor_is_noticed(package: Path, place: str, statement: str) -> None:
    text = place.format(statement)
    (package / "low" / "a.py").write_text(text, "utf-8")
    line = len(text.splitlines())

    imports = imports_of(package)

    assert against_the_floors(imports, ("low", "high")) == [
        f"house.low.a:{line} imports house.high"
    ]
    assert set(circle_in(imports)) >= {"house.low.a", "house.high"}


@pytest.mark.parametrize(
    "place", ["{}\n", IN_A_FUNCTION, FOR_TYPES], ids=["top", "function", "type"]
)
def test_a_circle_on_one_floor_is_noticed(package: Path, place: str) -> None:
    (package / "low" / "a.py").write_text(place.format("from .b import something"), "utf-8")

    imports = imports_of(package)

    circle = circle_in(imports)
    assert circle[0] == circle[-1]
    assert set(circle) == {"house.low.a", "house.low.b"}
    assert against_the_floors(imports, ("low", "high")) == []


def test_a_module_on_no_floor_is_noticed(package: Path) -> None:
    (package / "loose.py").write_text("import house.high\n", "utf-8")

    with pytest.raises(KeyError, match="loose"):
        against_the_floors(imports_of(package), ("low", "high"))
