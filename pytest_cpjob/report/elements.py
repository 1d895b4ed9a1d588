"""HTML elements as text: whatever is put into one is escaped, unless it is one itself."""

from __future__ import annotations

import html
from typing import Final

_WITHOUT_END: Final = frozenset({"meta"})


class Element(str):
    """HTML that stands in a page as it is."""

    __slots__ = ()


def element(tag: str, /, *children: str, **attributes: str | bool | None) -> Element:
    """Return an HTML element.

    Args:
        tag: its name.
        children: texts, which are escaped, and elements, which are not.
        attributes: their values are escaped; one that is None or False is left out, and True
            stands without a value. `class_` is the attribute `class`, `data_theme` `data-theme`.
    """
    given = "".join(
        _attribute(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items()
    )
    end = "" if tag in _WITHOUT_END else f"</{tag}>"
    return Element(f"<{tag}{given}>{joined(*children)}{end}")


def joined(*children: str) -> Element:
    """Return texts, which are escaped, and elements, which are not, one after another."""
    return Element("".join(map(_escaped, children)))


def _escaped(child: str) -> str:
    return child if isinstance(child, Element) else html.escape(child, quote=False)


def _attribute(name: str, value: str | bool | None) -> str:
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{html.escape(value)}"'
