"""A pipeline's definition as a Mermaid flow chart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pytest_cpjob.pipelines.variables import Action, actions_of, references_of

Described = Callable[[Action], tuple[str, str]]
"""Returns what stands below an action's name, and the class of its box."""


def definition_mermaid(declaration: Mapping[str, Any]) -> str:
    """Return a definition as a Mermaid flow chart: stages, actions, artifacts, variables."""
    return mermaid(declaration, lambda action: (str(action.action_type.get("provider")), ""))


def mermaid(declaration: Mapping[str, Any], described: Described) -> str:
    """Return a Mermaid flow chart of a declaration's stages and actions.

    Args:
        described: what to say of each action.
    """
    actions = actions_of(declaration)
    ids = {action.full_name: f"a{number}" for number, action in enumerate(actions)}
    lines = ["flowchart LR"]
    classes = []
    for number, stage in enumerate(declaration["stages"]):
        lines.append(f'  subgraph s{number}["{escaped(stage["name"])}"]')
        for action in actions:
            if action.stage == stage["name"]:
                below, kind = described(action)
                name = ids[action.full_name]
                lines.append(f'    {name}["{escaped(action.name)}<br/>{escaped(below)}"]')
                if kind:
                    classes.append(f"  class {name} {kind}")
        lines.append("  end")
    lines += [f"  s{number} --> s{number + 1}" for number in range(len(declaration["stages"]) - 1)]
    for maker, user, what in handed_on(actions):
        lines.append(f'  {ids[maker.full_name]} -. "{escaped(what)}" .-> {ids[user.full_name]}')
    return "\n".join(lines + classes) + "\n"


def handed_on(actions: list[Action]) -> Iterator[tuple[Action, Action, str]]:
    """Return which action hands what on to which: artifacts, and namespaces of variables."""
    for user in actions:
        for maker in actions:
            made = maker.artifacts("outputArtifacts")
            names = [name for name in user.artifacts("inputArtifacts") if name in made]
            namespaces = {each.namespace for each in references_of(user)}
            if maker.namespace in namespaces and maker.namespace is not None:
                names.append(f"#{{{maker.namespace}}}")
            if names:
                yield maker, user, ", ".join(names)


def escaped(text: object) -> str:
    """Return a text as Mermaid takes it between quotes: what has a meaning there is an entity."""
    plain = " ".join(str(text).split())
    return "".join(
        letter if letter.isalnum() or letter in " .,:/_-@()=+" else f"#{ord(letter)};"
        for letter in plain
    )
