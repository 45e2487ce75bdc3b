"""Receptive fields: which pixels of the image a unit of a layer sees.

The definitions are those of Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional
Neural Networks", Distill 2019, worked out from the image towards the output. Unit i of a map sees
the pixels i · S − P … i · S − P + R − 1 of an axis: R is the size of the field, S its stride and P
its padding (both "effective", with respect to the image). Where paths meet, the field is the span
of all of them, max(last) − min(first) + 1. Zeros that padding puts around a map count as if the
image went on there.

Behind an enlargement neighbouring units do not see the same pattern of pixels; the pattern comes
back after some units. So an axis holds the span of each unit of one period.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from cvtasks.insight.inspecting.arithmetic import Window, Windows

_MOST_UNITS = 4096  # of one period: more than this is no pattern any more


@dataclass(frozen=True)
class Axis:
    """What the units along one axis see: unit q · len(spans) + t sees the pixels q · shift +
    spans[t], first and last.

    Attributes:
        spans: (first, last) pixel of each unit of one period; negative before the image.
        shift: pixels from one period to the next.
        aligned: the centres of all paths that were joined fall together.
    """

    spans: tuple[tuple[int, int], ...] = ((0, 0),)
    shift: int = 1
    aligned: bool = True

    @property
    def size(self) -> int:
        """Pixels that a unit sees; the most of any unit."""
        return max(last - first + 1 for first, last in self.spans)

    @property
    def stride(self) -> Fraction:
        """Pixels from what one unit sees to what the next one sees."""
        return Fraction(self.shift, len(self.spans))

    @property
    def padding(self) -> int:
        """How many pixels before the image unit 0 begins to see."""
        return -self.spans[0][0]

    def span(self, unit: int) -> tuple[int, int]:
        """First and last pixel that the unit sees; also outside the image."""
        period, place = divmod(unit, len(self.spans))
        first, last = self.spans[place]
        return first + period * self.shift, last + period * self.shift

    def through(self, window: Window) -> "Axis":
        """The axis behind a window that slides over this one."""
        if window.transposed:
            return self._spread(window)
        count = len(self.spans)
        period = count // math.gcd(count, window.stride)
        inputs = range(0, window.reach, window.dilation)
        spans = [
            _hull(self.span(t * window.stride - window.before + offset) for offset in inputs)
            for t in range(period)
        ]
        return Axis(tuple(spans), self.shift * window.stride * period // count, self.aligned)

    def _spread(self, window: Window) -> "Axis":
        """Behind a transposed convolution: output o has heard of every input i with i · stride −
        before ≤ o in its reach.
        """

        def sources(output: int) -> list[int]:
            found = [
                (output + window.before - offset) // window.stride
                for offset in range(0, window.reach, window.dilation)
                if (output + window.before - offset) % window.stride == 0
            ]
            # an output that is the bias alone has heard of none
            return found or [(output + window.before) // window.stride]

        return self.read(window.stride, sources)

    def read(self, factor: int, sources: Callable[[int], Sequence[int]]) -> "Axis":
        """The axis of a map with `factor` times the units, of which unit o is made of the units
        sources(o) of this one.

        Args:
            sources: must move by one unit of this axis every `factor` units.
        """
        period = len(self.spans) * factor
        spans = [_hull(self.span(source) for source in sources(unit)) for unit in range(period)]
        return Axis(tuple(spans), self.shift, self.aligned)

    def joined(self, other: "Axis") -> "Axis | None":
        """The span of both; None where their strides differ, so that no pattern comes back."""
        if self.stride != other.stride:
            return None
        period = math.lcm(len(self.spans), len(other.spans))
        if period > _MOST_UNITS:
            return None
        pairs = [(self.span(unit), other.span(unit)) for unit in range(period)]
        spans = tuple(_hull(pair) for pair in pairs)
        centred = all(sum(one) == sum(two) for one, two in pairs)
        return Axis(
            spans,
            self.shift * period // len(self.spans),
            self.aligned and other.aligned and centred,
        )


@dataclass(frozen=True)
class Field:
    """What the units of a map see.

    Attributes:
        local: rows and columns that a unit sees by its own place; None where no path keeps places
            apart.
        whole: some path has seen the whole image: a mean over all places, a dense layer, a gate
            made of such a mean.
        unaligned: paths of different strides have met, so that there is no one stride; `local` is
            None from there on.
    """

    local: tuple[Axis, Axis] | None = (Axis(), Axis())
    whole: bool = False
    unaligned: bool = False

    @property
    def aligned(self) -> bool:
        """Whether all paths that have met have one stride and one centre."""
        return not self.unaligned and (
            self.local is None or all(axis.aligned for axis in self.local)
        )

    def through(self, windows: Windows) -> "Field":
        """The field behind a window of rows and columns."""
        if self.local is None:
            return self
        rows, columns = map(Axis.through, self.local, windows)
        return replace(self, local=(rows, columns))

    def mixed(self) -> "Field":
        """The field where each place has also seen all others, as with statistics over a map; its
        own place is kept.
        """
        return replace(self, whole=True)

    def pooled(self) -> "Field":
        """The field behind what does away with places: the whole image."""
        return replace(self, local=None, whole=True)


def joined(fields: Sequence[Field]) -> Field:
    """The field where paths meet: the span of all; the whole image where one of them has seen it.

    A path without places (a gate of squeeze-and-excitation) leaves the places of the others as they
    are.
    """
    unaligned = any(field.unaligned for field in fields)
    placed = [field.local for field in fields if field.local is not None]
    local = placed[0] if placed else None
    for one in placed[1:]:
        rows, columns = map(Axis.joined, local or one, one)
        if rows is None or columns is None:
            unaligned = True
            break
        local = (rows, columns)
    whole = any(field.whole for field in fields)
    return Field(None, True, True) if unaligned else Field(local, whole)


def _hull(spans: Iterable[tuple[int, int]]) -> tuple[int, int]:
    firsts, lasts = zip(*spans, strict=True)
    return min(firsts), max(lasts)
