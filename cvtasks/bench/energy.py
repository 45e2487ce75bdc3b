"""What the processor says of the energy that it took: RAPL, as Linux shows it."""

from pathlib import Path

PLACE = Path("/sys/class/powercap")


class Meter:
    """Counts the joules of all processors' packages, whoever computes there.

    Attributes:
        missing: why there is nothing to count; empty where there is.
    """

    def __init__(self, place: Path = PLACE) -> None:
        self._counters: dict[Path, int] = {}
        self.missing = ""
        try:
            # intel-rapl:0, also of AMD's; intel-rapl:0:1 is a part of it
            packages = sorted(place.glob("intel-rapl:*"))
            for package in (one for one in packages if one.name.count(":") == 1):
                counter = package / "energy_uj"
                _number(counter)
                self._counters[counter] = _number(package / "max_energy_range_uj")
        except PermissionError:
            self._counters, self.missing = {}, f"only the administrator may read {place}"
        except (OSError, ValueError) as error:
            self._counters, self.missing = {}, f"{place} cannot be read: {error}"
        if not self._counters and not self.missing:
            self.missing = f"this system has no counters in {place}"

    def read(self) -> tuple[int, ...]:
        """The counters, in microjoules; to be given to `since`."""
        return tuple(map(_number, self._counters))

    def since(self, before: tuple[int, ...]) -> float | None:
        """Joules since then; None where nobody counts them. A counter begins anew at its end."""
        if not self._counters:
            return None
        spans = self._counters.values()
        pairs = zip(before, self.read(), spans, strict=True)
        return sum((now - then) % (span + 1) for then, now, span in pairs) / 1e6


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))
