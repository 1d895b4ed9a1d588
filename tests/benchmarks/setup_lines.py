"""How many lines of set-up stand before a test's first assert; docs/migration-figures.md.

    python -m tests.benchmarks.setup_lines TEST_NAME FILE [FILE ...]

The files are the test's own and those that its fixtures are in. Counted is every line of code that
the test needs before it asserts anything: of the test itself its decorators and its statements up
to the first assert, the call of the handler included; and of the files, whatever these lines name,
directly or through each other: fixtures, helpers, constants, base classes, `setUp`. Autouse
fixtures count too. Imports, blank lines, comments, docstrings and the test's own `def` do not.
"""

from __future__ import annotations

import ast
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

_NO_CODE = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Place = tuple[Path, int]


def set_up_lines(test: str, files: Iterable[Path]) -> int:
    """Count them.

    Raises:
        LookupError: no file has exactly one such test, or it asserts nothing.
    """
    parsed = {path: ast.parse(path.read_text("utf-8")) for path in files}
    code = {place for path in parsed for place in _code_lines(path, parsed[path])}
    found = [
        (path, node)
        for path, tree in parsed.items()
        for node in ast.walk(tree)
        if isinstance(node, Function) and node.name == test
    ]
    if len(found) != 1:
        raise LookupError(f"{test} is there {len(found)} times")
    [(home, function)] = found
    before = [*function.decorator_list, *_before_first_assert(function)]
    counted = {place for node in before for place in _places(home, node)}
    wanted = {name for node in before for name in _names(node)}
    wanted |= {argument.arg for argument in function.args.args}
    for path, node in _reached(parsed, wanted, function):
        counted |= set(_places(path, node))
    return len(counted & code)


def _reached(
    parsed: dict[Path, ast.Module], wanted: set[str], test: Function
) -> Iterator[tuple[Path, ast.stmt]]:
    """Each definition at the top of a file that is named, directly or through others."""
    definitions = [
        (path, node)
        for path, tree in parsed.items()
        for node in tree.body
        if not isinstance(node, ast.Import | ast.ImportFrom) and node is not test
    ]
    yielded: set[int] = set()
    while True:
        new = [
            (path, node)
            for path, node in definitions
            if id(node) not in yielded and (_defined(node) & wanted or _is_autouse(node))
        ]
        if not new:
            return
        for path, node in new:
            yielded.add(id(node))
            wanted |= _names(node)
            if isinstance(node, Function):
                wanted |= {argument.arg for argument in node.args.args}
            yield path, node


def _before_first_assert(function: Function) -> list[ast.stmt]:
    body: list[ast.stmt] = []
    for statement in function.body:
        if _asserts(statement):
            return body
        body.append(statement)
    raise LookupError(f"{function.name} asserts nothing")


def _asserts(node: ast.AST) -> bool:
    return any(
        isinstance(each, ast.Assert)
        or (isinstance(each, ast.Attribute) and each.attr.startswith("assert"))
        for each in ast.walk(node)
    )


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, Function | ast.ClassDef):
        return {node.name}
    return {
        each.id
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    }


def _is_autouse(node: ast.stmt) -> bool:
    decorators = node.decorator_list if isinstance(node, Function) else []
    return any("autouse=True" in ast.unparse(decorator) for decorator in decorators)


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _places(path: Path, node: ast.expr | ast.stmt) -> Iterator[Place]:
    decorators = node.decorator_list if isinstance(node, Function | ast.ClassDef) else []
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    return ((path, line) for line in range(first, (node.end_lineno or node.lineno) + 1))


def _code_lines(path: Path, tree: ast.Module) -> Iterator[Place]:
    left_out = {
        place
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        or (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        )
        for place in _places(path, node)
    }
    with tokenize.open(path) as lines:
        for token in tokenize.generate_tokens(lines.readline):
            if token.type not in _NO_CODE:
                for line in range(token.start[0], token.end[0] + 1):
                    if (path, line) not in left_out:
                        yield path, line


if __name__ == "__main__":
    print(set_up_lines(sys.argv[1], [Path(name) for name in sys.argv[2:]]))
