"""Less of a text: blocks of lines, one for each thing that happened, in as many lines as fit."""

from __future__ import annotations

from collections.abc import Sequence, Set
from itertools import accumulate, groupby
from typing import Final

FEWEST_LINES: Final = 2
"""How many lines of a wrapped line stay."""


def cut(block: list[str], width: int) -> list[str]:
    """Return the first lines of a wrapped line, with a mark where the rest is left out."""
    if len(block) <= FEWEST_LINES:
        return block
    *whole, last = block[:FEWEST_LINES]
    while len(last) > width - len(" ...") and " " in last.strip():
        last = last.rpartition(" ")[0]
    return [*whole, f"{last} ..."]


def shortened(blocks: Sequence[list[str]], most: int, kept: Set[int]) -> list[str]:
    """Leave out blocks of lines in the middle where there are too many: beginning and end stay.

    Args:
        kept: the numbers of the blocks that stay as well, wherever they are.
    """
    if sum(map(len, blocks)) <= most:
        return [line for block in blocks for line in block]
    others = [[] if number in kept else block for number, block in enumerate(blocks)]
    room = most - sum(len(blocks[number]) for number in kept)
    ahead = _fitting(others, room // 3)
    behind = _fitting(others[:ahead:-1], room - 1 - sum(map(len, others[:ahead])))
    shown = {*range(ahead), *kept, *range(len(blocks) - behind, len(blocks))}
    lines: list[str] = []
    for is_shown, group in groupby(range(len(blocks)), shown.__contains__):
        numbers = list(group)
        if is_shown:
            lines += (line for number in numbers for line in blocks[number])
        else:
            lines.append(f"  ... {len(numbers)} more")
    return lines


def _fitting(blocks: Sequence[list[str]], room: int) -> int:
    """Return how many blocks from the first on fit into some lines, at least one."""
    ends = accumulate(map(len, blocks))
    return max(1, sum(end <= room for end in ends))
