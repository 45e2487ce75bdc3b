"""Tracks on the command line: options of the task commands, and the scores of files of tracks."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvtasks.cli.output import say, tell
from cvtasks.errors import UsageError
from cvtasks.text import dumps, table

if TYPE_CHECKING:
    from cvtasks.inference.following import Follow

TrackOption = Annotated[
    bool,
    typer.Option("--track", help="Give objects of a video numbers that last, and draw their ways."),
]
CountOption = Annotated[
    list[str] | None,
    typer.Option(
        "--count",
        metavar="SPEC",
        help=(
            'Count tracked objects at a "line x1,y1 x2,y2" or in a "zone x1,y1 x2,y2 x3,y3 …": '
            "pixels of the frame, or shares where no number is above 1; NAME= before it names it. "
            "An object counts by the middle of its lower edge, with `centre` at the end by its "
            "centre. May be given several times."
        ),
    ),
]
FillOption = Annotated[
    bool,
    typer.Option(
        "--fill-gaps",
        help="Fill gaps of at most 15 frames in tracks; frames come out up to 15 later.",
    ),
]
TracksOption = Annotated[
    tuple[Path, Path] | None,
    typer.Option(
        "--tracks",
        metavar="FOUND TRUTH",
        help=(
            "Score tracks instead of a model: two files of the MOT Challenge, or two folders of "
            "them, a file a video."
        ),
    ),
]


def follow_of(track: bool, count: list[str] | None, fill_gaps: bool) -> "Follow | None":
    """How objects are to be followed; None where nobody asked for it. To count, and to fill gaps,
    they are.

    Raises:
        UsageError: what is to be counted cannot be understood.
    """
    if not (track or count or fill_gaps):
        return None
    from cvtasks.inference.counting import named, parse_count
    from cvtasks.inference.following import Follow
    from cvtasks.inference.gaps import MOST

    if fill_gaps:
        say(f"gaps of at most {MOST} frames are filled: frames come out up to {MOST} frames late")
    return Follow(named([parse_count(text) for text in count or ()]), fill_gaps)


def evaluate_tracks(context: typer.Context, found: Path, truth: Path, as_json: bool) -> None:
    """Score files of tracks, and print that.

    Raises:
        UsageError: more was given than they need.
    """
    _check_alone(context, {"tracks", "as_json"})
    from cvtasks.evaluation.tracks import score_tracks

    result = score_tracks(found, truth)
    for remark in result["remarks"]:
        say(f"tracks: {remark}")
    if as_json:
        print(dumps(result))
        return
    columns = ["HOTA", "MOTA", "IDF1", "switches", "recall", "precision"]
    rows = [
        [name, *(_cell(numbers[column]) for column in columns)]
        for name, numbers in result["videos"].items()
    ]
    tell(*table([["video", *columns], *rows], least=10))
    for name, number in result["metrics"].items():
        tell(f"{name}: {_cell(number)}")


def _check_alone(context: typer.Context, fitting: Collection[str]) -> None:
    """Raise UsageError for the first thing that was typed and has no effect on the score of tracks.

    Args:
        fitting: names of parameters that go with them.
    """
    for one in context.command.params:
        source = context.get_parameter_source(one.name or "")
        if one.name not in fitting and source and source.name == "COMMANDLINE":
            name = max(one.opts, key=len) if one.opts[0].startswith("-") else one.metavar
            raise UsageError(
                "--tracks scores tracks as they are, without a model or data, and goes with --json "
                f"alone; got {name} too. Leave one of them out."
            )


def _cell(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:.4f}"
