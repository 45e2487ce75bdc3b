"""Which class each value or colour of masks stands for: said by a recipe or a legend, or concluded
from what all masks hold, and told.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cvtasks.data.formats.bases.codes import GROUND, OBJECT, Coding
from cvtasks.data.formats.bases.held import Found, found_in
from cvtasks.errors import DataError
from cvtasks.formats.legend import Colour, Entry
from cvtasks.recipe.data_table import VOID, Value
from cvtasks.text import counted

_VOIDS = ("void", "ignore", "ignored", "__ignore__", "don't care", "dontcare")
_MANY = 64  # values without names: no masks of classes
_SAID = 6  # values that a sentence names


# === what is said ===


def coding_of_values(values: Mapping[str, Value], void: Value) -> Coding:
    """By `data.values` of a recipe; where all are colours, palettes are read too."""
    entries = [Entry(name, *_both(value)) for name, value in values.items()]
    return _coded(entries, void, by_palette=all(entry.colour for entry in entries))


def coding_of_ids(entries: Sequence[Entry], void: Iterable[int], said: str) -> Coding:
    """By ids that are known, of which others are void."""
    coding = _coded(entries, VOID, said)
    known = {**dict.fromkeys(void, VOID), **coding.values}
    return Coding(coding.classes, known, coding.colours, said=said)


def coding_of_legend(
    entries: Sequence[Entry], masks: Sequence[Path], void: Value, name: str
) -> Coding:
    """By a legend; where it gives colours and masks hold numbers, these are grey colours, the
    colours of a palette, or places in the legend, whichever fits.

    Args:
        masks: of all splits. name: what the legend is called.

    Raises:
        DataError: masks hold 0 and 255 alone, and it names several classes.
    """
    greys = (one.value if one.colour is None else _grey(one.colour) for one in entries)
    found = found_in(masks).meaning(value for value in greys if value is not None)
    said = f"the classes of masks are those of {name}"
    white = _white(entries, found, void, name)
    if white is not None:
        return white
    if all(entry.value is not None for entry in entries):
        return _coded(entries, void, said)
    listed = {packed_colour(entry.colour) for entry in entries if entry.colour is not None}
    if void == VOID and packed_colour(void) in found.colours - listed:
        said += "; white, which it does not list, is void: not learned, and not scored"
    listed |= {packed_colour(void)}
    bare = _greys(found.bare)
    colours = found.colours | found.palette | (bare if found.colours or found.shown else set())
    if 0 not in listed and 0 in colours and GROUND not in [entry.name for entry in entries]:
        entries = [Entry(GROUND, None, (0, 0, 0)), *entries]
        said += f"; black, which it does not list, is {GROUND}"
        listed |= {0}
    fits = found.differ or (found.palette <= listed and (bare <= listed or found.colours))
    if found.shown and (fits or not _in_places(found, entries)):
        return _coded(entries, void, said, by_palette=True)
    if _greys(found.values) <= listed:
        return _coded(entries, void, said)
    numbered = [Entry(entry.name, place, entry.colour) for place, entry in enumerate(entries)]
    return _coded(numbered, void, f"{said}, numbered in its order from 0")


def _in_places(found: Found, entries: Sequence[Entry]) -> bool:
    """Whether palettes have no colour of the legend, greys aside, but at its place there."""
    places = {
        packed_colour(one.colour): place
        for place, one in enumerate(entries)
        if one.colour and len(set(one.colour)) > 1
    }
    return all(places.get(colour, index) == index for index, colour in found.shown)


def _white(entries: Sequence[Entry], found: Found, void: Value, name: str) -> Coding | None:
    """By a legend of two classes, or of one beside the background, where masks hold 0 and 255 alone
    and the legend gives neither to void nor white to a class; None where that is not so.
    """
    named = [entry for entry in entries if entry.name.casefold() not in _VOIDS]
    listed = {_value(entry) for entry in entries}
    plain = not found.colours and not found.shown and found.values <= {0, VOID}
    if not plain or VOID not in found.values or void != VOID or listed & {VOID, (255, 255, 255)}:
        return None
    dark = [entry for entry in named if _value(entry) in (0, (0, 0, 0))]
    dark = dark or [entry for entry in named if entry.name.casefold() == GROUND]
    if len(named) == 1 and not dark:
        return _two((GROUND, named[0].name), [0, VOID], found.values)
    if len(named) == 2:
        first = (dark or named)[0]
        other = next(entry for entry in named if entry is not first)
        return _two((first.name, other.name), [0, VOID], found.values)
    if len(named) < 2:
        return None
    raise DataError(
        f"masks must hold what their legend gives; these hold 0 and 255 alone, and {name} has "
        f"{counted(len(named), 'class')} and no 255. Say which class it is by `data.values`, such "
        f"as `data.values={{{named[0].name} = 0, {named[1].name} = 255}}`.",
        "binary masks",
    )


def coding_of_names(names: Sequence[str], masks: Sequence[Path], void: Value) -> Coding:
    """By the names of the classes alone, where `void` is another id than 255 or masks are no plain
    ids: they are numbered from 0, without void where there is an id more than names.
    """
    held = _plain(found_in(masks), void)
    values = sorted(held - {void, VOID})
    things = held - {0} - ({void} if void != VOID else set())
    if len(names) == 2 and len(things) == 1 and things != {1}:
        return _two(names, sorted(things), held)
    if isinstance(void, int) and void < len(names):
        if max(values, default=0) == len(names):
            kept = [value for value in range(len(names) + 1) if value != void]
            more = " …" if len(kept) > 3 else ""
            said = f"{void} is void, and the classes are {', '.join(map(str, kept[:3]))}{more}"
            entries = [Entry(name, value) for name, value in zip(names, kept, strict=True)]
            return _coded(entries, void, f"masks hold an id more than there are names: {said}")
        entries = [Entry(name, value) for value, name in enumerate(names) if value != void]
        return _coded(entries, void, f'{void}, "{names[void]}", is void')
    return _coded([Entry(name, value) for value, name in enumerate(names)], void)


# === what is concluded ===


def concluded(masks: Sequence[Path], void: Value) -> Coding:
    """By what all masks hold, where nothing says what that means: two values are background and
    object, ids from 0 on are classes.

    Args:
        masks: of all splits.

    Raises:
        DataError: it may be several things.
    """
    found = found_in(masks)
    colours = _colours(found)
    if len(colours) == 2 and 0 in colours:
        return _two_colours(max(colours), by_palette=bool(found.shown))
    held = _plain(found, void)
    left = held - ({void} if void != VOID else set())
    values = sorted(left - ({VOID} if 1 in left else set()))
    first = 1 if void == 0 else 0
    if left == {0, 1, VOID} and not found.beside:
        raise DataError(
            "it must be clear what 255 is; masks hold 0, 1 and 255, and half or more of those with "
            "255 have no 1. If it is the object, write 1 for it in all masks; if it is void, say "
            f"so by `data.values={{{GROUND} = 0, {OBJECT} = 1}}`.",
            "binary masks",
        )
    if first == 0 and len(values) <= 2 and values[:1] in ([0], []):
        return _two((GROUND, OBJECT), values, left)
    if len(values) > _MANY:
        raise DataError(
            f"masks hold a class for each pixel, of a few; these hold {len(values)} values, from "
            f"{values[0]} to {values[-1]}. Were they smeared by JPEG or resized with "
            "interpolation, or do they number objects? Write the ids of classes.",
            "mask values",
        )
    if values == list(range(first, first + len(values))):
        names = [GROUND if value == 0 else str(value) for value in values]
        entries = [Entry(name, value) for name, value in zip(names, values, strict=True)]
        void_too = sorted(held - set(values))
        told = _listed([*map(str, values), *map(str, void_too)])
        meant = _listed([*names, *["void"] * len(void_too)])
        said = f"masks hold {told}: {meant}; classes.txt or `data.values` gives them other names"
        return _coded(entries, void, said)
    raise _unclear([str(value) for value in sorted(left)])


def _two(names: Sequence[str], values: Sequence[int], held: frozenset[int]) -> Coding:
    """Masks of an object and what lies around it."""
    thing = max(values, default=0) or VOID
    void_said = ", void" if VOID in held and thing != VOID else ""
    told = _listed([str(one) for one in sorted({0, *values, *([VOID] if void_said else [])})])
    said = f"masks hold {told}: {names[0]}, {names[1]}{void_said}"
    return _coded([Entry(names[0], 0), Entry(names[1], thing)], VOID, said)


def _two_colours(thing: int, *, by_palette: bool) -> Coding:
    """Masks of an object in one colour on black."""
    colour = (thing >> 16, thing >> 8 & 255, thing & 255)
    said = f"masks hold black and the colour {colour}: {GROUND}, {OBJECT}"
    entries = [Entry(GROUND, None, (0, 0, 0)), Entry(OBJECT, None, colour)]
    return _coded(entries, VOID, said, by_palette=by_palette)


def _colours(found: Found) -> frozenset[int]:
    """The colours of masks that must be told by these, those of palettes among them; none where
    masks hold numbers that mean the same in all.
    """
    if not found.colours and not found.differ:
        return frozenset()
    return found.colours | found.palette | _greys(found.bare)


def _plain(found: Found, void: Value) -> frozenset[int]:
    """The values that masks hold.

    Raises:
        DataError: they hold colours.
    """
    held = _colours(found)
    if not held:
        return found.values
    colours = sorted(held - ({packed_colour(void)} if isinstance(void, tuple) else set()))
    if len(colours) > _MANY * 4:
        raise DataError(
            f"masks hold a class for each pixel, of a few; these hold {len(colours)} colours. "
            "Were they smeared by JPEG or resized with interpolation, or are they no masks? Export "
            "them again, as PNG.",
            "mask values",
        )
    triples = [str([one >> 16, one >> 8 & 255, one & 255]) for one in colours]
    own = " in palettes that differ from file to file" if found.differ else ""
    raise _unclear(triples, "colours", own)


def _unclear(held: list[str], what: str = "values", where: str = "") -> DataError:
    """The error for values that may be anything."""
    some = _listed(held[:_SAID] + ([f"{len(held) - _SAID} more"] if len(held) > _SAID else []))
    named = [GROUND, *(f"class-{number}" for number in range(1, len(held)))]
    pairs = [f"{name} = {value}" for name, value in zip(named[:_SAID], held, strict=False)]
    example = f"data.values={{{', '.join(pairs)}}}"
    left = " (255 is void where it is not named)" if str(VOID) in held else ""
    left = " (or each number, where palettes mean nothing)" if where else left
    return DataError(
        f"it must be said which class each value of masks is; these hold the {what} {some}{where}, "
        "and nothing says what they are. Name each by `data.values`, such as "
        f"`{example}`{left}, or write a legend, `classes.csv`, beside the data: "
        "name,value or name,red,green,blue, one class a line.",
        "mask values",
        ways={"set": example},
    )


def _listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them: 0, 1 and 255."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def _greys(values: Iterable[int]) -> set[int]:
    """Values of 8 bits as grey colours, `packed`."""
    return {value * 0x10101 for value in values if value < 256}


def _grey(colour: Colour) -> int | None:
    """The value of a grey colour."""
    return colour[0] if len(set(colour)) == 1 else None


def packed_colour(value: Value) -> int:
    """A colour as one number, and a grey value as the grey colour; -1 for a value of 16 bits."""
    if isinstance(value, int):
        return value * 0x10101 if value < 256 else -1
    red, green, blue = value
    return red << 16 | green << 8 | blue


def _coded(
    entries: Sequence[Entry], void: Value, said: str = "", *, by_palette: bool = False
) -> Coding:
    """The coding of entries that all have a value or all have a colour; the background first, and
    what is called void no class.

    Raises:
        DataError: there are too many classes.
    """
    voids = [entry for entry in entries if entry.name.casefold() in _VOIDS]
    classes = [
        entry for entry in entries if entry not in voids and (_value(entry) != void or void == VOID)
    ]
    classes.sort(key=lambda entry: entry.name.casefold() != GROUND)  # stable
    if len(classes) > VOID:
        raise DataError(f"masks have at most {VOID} classes; got {len(classes)}. Leave some out.")
    values: dict[int, int] = {VOID: VOID}
    colours: dict[int, int] = {}
    meant = [(Entry("", *_both(void)), VOID), *((entry, VOID) for entry in voids)]
    for entry, number in [*meant, *((entry, place) for place, entry in enumerate(classes))]:
        if entry.value is not None:
            values[entry.value] = number
            if entry.value < 256:
                colours[packed_colour(entry.value)] = number
        if entry.colour is not None:
            colours[packed_colour(entry.colour)] = number
            if entry.value is None and len(set(entry.colour)) == 1:
                values[entry.colour[0]] = number
    return Coding(tuple(entry.name for entry in classes), values, colours, by_palette, said)


def _both(value: Value) -> tuple[int | None, Colour | None]:
    """A value as an entry's value or colour."""
    return (None, value) if isinstance(value, tuple) else (value, None)


def _value(entry: Entry) -> Value | None:
    return entry.colour if entry.value is None else entry.value
