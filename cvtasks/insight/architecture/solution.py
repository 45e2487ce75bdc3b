"""The solution of an exercise."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Solution:
    """A solution with its work: lines to read, and the same as plain values."""

    lines: tuple[str, ...]
    values: Mapping[str, Any]
