"""Parts of a split brought to the sizes that were asked for, by moving units between them; a unit
is what stays together, an image or a group of some.
"""

import heapq
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

_SLACK = 0.02  # of a part's size; dealt out by class, one may be so much smaller or larger
_ROUNDING = 1e-6  # of a number of images


class Parts:
    """Units in parts.

    Args:
        units: class → how many images of the unit show it.
        sizes: of each unit, its images.
        shares: of each part, of all images; together 1.
        place: of each unit, the number of its part; no part is empty.
        learned: numbers of the parts that something is learned from: of one, the part to train on;
            of several, folds, each of which is left out once.

    Attributes:
        place: as given, but for what was moved.
    """

    def __init__(
        self,
        units: Sequence[Mapping[int, int]],
        sizes: Sequence[int],
        shares: Sequence[float],
        place: Sequence[int],
        learned: Collection[int] = (0,),
    ) -> None:
        self.place = list(place)
        self._units, self._sizes, self._shares = units, sizes, shares
        self._learned, self._needed = frozenset(learned), min(len(learned), 2)
        self._members: list[set[int]] = [set() for _ in shares]
        self._images = [Counter[int]() for _ in shares]  # of each class
        self._holding = [Counter[int]() for _ in shares]  # units of each class
        self._holders = Counter[int]()  # class → parts to learn from that show it
        self._total = Counter[int]()  # class → images
        self._excess = [-share * sum(sizes) for share in shares]
        for unit, part in enumerate(place):
            self._total.update(units[unit])
            self._add(unit, part)
        kinds: dict[tuple[object, int], int] = {}
        self._kind = [
            kinds.setdefault((frozenset(unit.items()), size), len(kinds))
            for unit, size in zip(units, sizes, strict=True)
        ]

    def settle(self) -> None:
        """Move units until each class is learned, and until sizes are as asked, within a unit.

        A class that one unit shows is then in a part to learn from; one that several show is
        learned whatever fold is left out. Sizes that are nearly as asked stay as they are, of
        folds only equal ones.
        """
        self._teach()
        slack = 0.0 if len(self._learned) > 1 else _SLACK * sum(self._sizes)
        if any(
            abs(excess) > max(1 - _ROUNDING, slack * share)
            for excess, share in zip(self._excess, self._shares, strict=True)
        ):
            self._fit()

    def _add(self, unit: int, part: int) -> None:
        self.place[unit] = part
        self._members[part].add(unit)
        self._excess[part] += self._sizes[unit]
        for label, images in self._units[unit].items():
            self._holders[label] += part in self._learned and not self._holding[part][label]
            self._images[part][label] += images
            self._holding[part][label] += 1

    def _remove(self, unit: int) -> None:
        part = self.place[unit]
        self._members[part].remove(unit)
        self._excess[part] -= self._sizes[unit]
        for label, images in self._units[unit].items():
            self._images[part][label] -= images
            self._holding[part][label] -= 1
            self._holders[label] -= part in self._learned and not self._holding[part][label]

    def _move(self, unit: int, part: int) -> None:
        self._remove(unit)
        self._add(unit, part)

    def _gain(self, label: int, source: int, part: int) -> int:
        """How many more parts to learn from show a class when a unit of it is moved."""
        lost = source in self._learned and self._holding[source][label] == 1
        return int(part in self._learned and not self._holding[part][label]) - int(lost)

    def _held(self, unit: int, part: int) -> bool:
        """Whether a unit must not be moved to a part, as its own would be empty or a class not
        learned.
        """
        source = self.place[unit]
        return len(self._members[source]) == 1 or any(
            (gain := self._gain(label, source, part)) < 0
            and self._holders[label] + gain < self._needed
            for label in self._units[unit]
        )

    def _cost(self, unit: int, part: int) -> float:
        """How much farther the classes are from their shares, for each image, when a unit is moved:
        the change of the sum of squares of what is too much, over the images of the class, and one
        for each part and class that is no longer shown, or is shown now.
        """
        source, cost = self.place[unit], 0.0
        for label, images in self._units[unit].items():
            total = self._total[label]
            there = self._images[part][label] - self._shares[part] * total
            here = self._images[source][label] - self._shares[source] * total
            cost += 2 * images * (there - here + images) / total
            cost += (self._holding[source][label] == 1) - (not self._holding[part][label])
        return cost / self._sizes[unit]

    def _teach(self) -> None:
        """Move units so that as many parts to learn from show each class as it needs."""
        showing: dict[int, list[int]] = {
            label: [] for label in self._total if self._holders[label] < self._needed
        }
        for unit, classes in enumerate(self._units):
            for label in showing.keys() & classes.keys():
                showing[label].append(unit)
        for label in sorted(showing, key=lambda one: (len(showing[one]), one)):
            for _ in range(self._needed - self._holders[label]):
                part = min(
                    (one for one in self._learned if not self._holding[one][label]),
                    key=lambda one: (self._excess[one], one),
                )
                able = [
                    unit
                    for unit in showing[label]
                    if self._gain(label, self.place[unit], part) > 0 and not self._held(unit, part)
                ]
                if able:
                    self._move(min(able, key=lambda unit: (self._cost(unit, part), unit)), part)

    def _fit(self) -> None:
        """Move units from parts that are too large to those that are too small, while it helps."""
        before, numbers = None, range(len(self._shares))
        while before != self._excess:
            before = list(self._excess)
            for giving in sorted(numbers, key=lambda one: -before[one]):
                for taking in sorted(numbers, key=lambda one: before[one]):
                    if self._lacking(giving, taking) > 0 and self._gap(giving, taking) > 1:
                        self._shift(giving, taking)
                        self._shift_last(giving, taking)

    def _shift(self, giving: int, taking: int) -> None:
        """Move units while neither part passes its size by it, the cheapest first.

        Each move makes those that follow dearer, so a cost that was computed before it is a lower
        bound, and few are computed again. Units of the same classes and size have one cost.
        """
        waiting: dict[int, list[int]] = {}
        for unit in sorted(self._members[giving]):
            if self._sizes[unit] <= self._lacking(giving, taking):
                waiting.setdefault(self._kind[unit], []).append(unit)
        queue = [(self._cost(units[-1], taking), kind) for kind, units in waiting.items()]
        heapq.heapify(queue)
        while queue:
            _, kind = heapq.heappop(queue)
            unit = waiting[kind][-1]
            room = self._lacking(giving, taking)
            if self._sizes[unit] > room or self._held(unit, taking):
                continue
            now = self._cost(unit, taking), kind
            if not queue or now <= queue[0]:
                self._move(waiting[kind].pop(), taking)
                if not waiting[kind]:
                    continue
                now = self._cost(waiting[kind][-1], taking), kind
            heapq.heappush(queue, now)

    def _shift_last(self, giving: int, taking: int) -> None:
        """Move one unit more, the smallest, where the sum of squares of what both parts have too
        much falls by it.
        """
        able = [
            unit
            for unit in self._members[giving]
            if self._sizes[unit] < self._gap(giving, taking) and not self._held(unit, taking)
        ]
        if able:
            self._move(
                min(able, key=lambda one: (self._sizes[one], self._cost(one, taking), one)), taking
            )

    def _lacking(self, giving: int, taking: int) -> float:
        """How many images one part has too many and another too few."""
        return min(self._excess[giving], -self._excess[taking])

    def _gap(self, giving: int, taking: int) -> float:
        """How many images one part has more of its size than another, without rounding."""
        return self._excess[giving] - self._excess[taking] - _ROUNDING
