"""What a test gives as a definition, read: a dict, or a file of JSON or YAML."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from pytest_cpjob.errors import CpjobError
from pytest_cpjob.requirements import require

MOST_BYTES: Final = 8_000_000
"""The longest file that is read; CloudFormation itself takes a template of 1 MB."""

MOST_VALUES: Final = 1_000_000
"""How many values a document may have once its aliases are written out."""


DefinitionArgument: TypeAlias = (
    "Mapping[str, Any] | str | PathLike[str] | Sequence[Mapping[str, Any] | str | PathLike[str]]"
)
"""What `add_pipeline` takes: a dict, a file's path, or a list of them."""


class Source(NamedTuple):
    """One document.

    Attributes:
        document: its content, a dict.
        name: what messages call it: the file as the test wrote it, or `the definition`.
        folder: where paths in it are relative to, None for a dict.
    """

    document: dict[str, Any]
    name: str
    folder: Path | None


def read_sources(definition: object) -> list[Source]:
    """Read a definition, or a list of them.

    Raises:
        ValueError: it is no definition, or a file cannot be read as one; one line, which names
            the file and the place.
        CpjobError: the file is YAML, and PyYAML is not installed.
    """
    if isinstance(definition, (list, tuple)):
        if not definition:
            raise ValueError("definition: expected at least one template, got an empty list")
        return [
            _read(each, "the definition" if isinstance(each, Mapping) else "")
            for each in definition
        ]
    return [_read(definition, "the definition")]


def _read(given: object, name: str) -> Source:
    if isinstance(given, Mapping):
        return Source(_checked(given, name), name, None)
    if isinstance(given, (str, os.PathLike)):
        return _read_file(Path(given), os.fspath(given))
    raise ValueError(
        f"definition: expected a dict, a file's path, or a list of them, got {type(given).__name__}"
    )


def _read_file(path: Path, name: object) -> Source:
    shown = str(name)
    if "\n" in shown or len(shown) > 1_000:
        raise ValueError(
            f"definition: expected a file's path, got text that begins with {shown[:40]!r}; write"
            " it to a file, or give a dict"
        )
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ValueError(
                f"{shown}: a file of {size:,} bytes is too long for a definition; at most"
                f" {MOST_BYTES:,} are read"
            )
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{shown}: cannot be read: {error.strerror or error}") from None
    return Source(_checked(_parsed(content, shown), shown), shown, path.resolve().parent)


def _parsed(content: bytes, name: str) -> object:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        try:
            text = content.decode("utf-16") if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        except UnicodeDecodeError:
            text = ""
        if not text:
            raise ValueError(
                f"{name}: byte {error.start} is not UTF-8 text, so this is not a definition"
            ) from None
    # JSON first: with tabs it is not YAML, and it needs no PyYAML.
    failed: json.JSONDecodeError | None = None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        failed = error
    except RecursionError:
        raise ValueError(f"{name}: it is nested too deeply") from None
    if text.lstrip()[:1] in ("{", "[") and "\t" in text:
        raise ValueError(f"{name}:{failed.lineno}:{failed.colno}: not JSON: {failed.msg}")
    return _yaml(text, name)


def _yaml(text: str, name: str) -> object:
    try:
        import yaml
    except ImportError:
        raise CpjobError(
            f"{name}: reading YAML needs PyYAML, which is not installed\n"
            "- way out: pip install 'pytest-cpjob[templates]'"
        ) from None
    require("pyyaml")
    from pytest_cpjob.pipelines.yaml_loader import load_yaml

    try:
        return load_yaml(text)
    except RecursionError:
        raise ValueError(f"{name}: it is nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"{name}{_place(error)}: {_problem(error)}") from None


def _place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return "" if mark is None else f":{mark.line + 1}:{mark.column + 1}"


def _problem(error: Exception) -> str:
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return f"not JSON or YAML: {' '.join(str(problem).split())[:200]}"


def _checked(document: object, name: str) -> dict[str, Any]:
    """Refuse what is no mapping, and what would have more values than can be gone through."""
    if not isinstance(document, Mapping):
        raise ValueError(f"{name}: expected an object at the top, got {_kind(document)}")
    if _size(document, name) > MOST_VALUES:
        raise ValueError(
            f"{name}: its aliases stand for more than {MOST_VALUES:,} values, too many for a"
            " definition"
        )
    return dict(document)


def _kind(value: object) -> str:
    return {str: "text", list: "a list", type(None): "nothing"}.get(
        type(value), type(value).__name__
    )


def _size(document: object, name: str) -> int:
    """Count the values with every alias written out, without writing it out."""
    sizes: dict[int, int] = {}
    open_ones: set[int] = set()

    def size(value: object) -> int:
        if not isinstance(value, (Mapping, list)):
            return 1
        known = sizes.get(id(value))
        if known is not None:
            return known
        if id(value) in open_ones:
            raise ValueError(f"{name}: a value contains itself, by an alias")
        open_ones.add(id(value))
        items = value.values() if isinstance(value, Mapping) else value
        sizes[id(value)] = 1 + sum(map(size, items))
        open_ones.discard(id(value))
        return sizes[id(value)]

    try:
        return size(document)
    except RecursionError:
        raise ValueError(f"{name}: it is nested too deeply") from None
