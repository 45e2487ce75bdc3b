"""The tables and the picture of `against_peers.py`: what accuracy costs in time."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cvtasks.evaluation.evaluate import score_text
from cvtasks.files.writing import write_bytes, write_text

BOUNDS = {"detect": 0.45, "segment": 0.45, "classify": 1.0, "localize": 1.0}
"""Task → the most that a new default may take of the time of the network that it replaces."""

_BOARDS = {"detect": "detect-voc", "segment": "segment-voc"}
_COLUMNS = {
    "detect-voc": {
        "AP@.5": "VOC2012 area AP@0.5",
        "AP@.75": "COCO AP75",
        "COCO AP": "COCO AP",
        "small": "COCO AP small",
        "medium": "COCO AP medium",
        "large": "COCO AP large",
        "AR100": "COCO AR100",
    },
    "segment-voc": {"mean IoU": "VOC mean IoU", "pixel accuracy": "pixel accuracy"},
    "classify-voc": {
        "mAP": "VOC2012 multi-label mAP",
        "11-point mAP": "VOC2007 11-point multi-label mAP",
    },
    "localize-voc": {
        "top-1": "top-1 localization accuracy",
        "top-1, class alone": "top-1 accuracy",
        "mean IoU": "mean IoU",
    },
}
_FURTHER = {
    "detect-coco": ("detect-coco", "`coco_mini`: AP@.5", "VOC2012 area AP@0.5"),
    "detect-coco AP": ("detect-coco", "`coco_mini`: COCO AP", "COCO AP"),
    "detect-coco-80": ("detect-coco-80", "`coco_mini`, all 80: COCO AP", "COCO AP"),
    "detect-20": ("detect-20", "VOC's 20: AP@.5", "VOC2012 area AP@0.5"),
    "segment-voc-21": ("segment-voc-21", "all 21: mean IoU", "VOC mean IoU"),
}
_TIMES = ("network ms", "quartiles", "whole ms", "ratio", "10⁹ m-adds", "MB")

Results = dict[str, dict[str, Any]]
"""Contestant → what is known of it."""


# === sentences ===


def front(results: Results) -> Iterator[str]:
    """For each of our models that has scores and times: the peers that are better and quicker.

    What a peer does in f32 or quantised counts against all precisions, bf16 against bf16.
    """
    for task, board in _BOARDS.items():
        ready = [(key, row) for key, row in results.items() if _placed(row, task, board)]
        for key, mine in ready:
            if mine["ours"]:
                above = [
                    name
                    for name, row in ready
                    if not row["ours"]
                    and row["precision"] in (mine["precision"], "f32", "int8")
                    and _headline(row, board) > _headline(mine, board)
                    and row["ms"]["network"][1] < mine["ms"]["network"][1]
                ]
                better = f"better and quicker: {'; '.join(above)}"
                yield f"{key}: {better if above else 'on the front'}"


def bounds(results: Results, against: Sequence[str]) -> Iterator[str]:
    """How much of the time of the network that it is to replace each other model of ours takes."""
    old = {Path(name).name for name in against}
    timed = {key: row for key, row in results.items() if row["ours"] and "ms" in row}
    for key, row in timed.items():
        for before in timed.values():
            same = all(row[what] == before[what] for what in ("task", "precision"))
            if row["name"] not in old and before["name"] in old and same:
                ratio, most = _ratio(row, before), BOUNDS[row["task"]]
                verdict = "as wanted" if ratio <= most else "TOO SLOW"
                yield (
                    f"{key}: {ratio:.2f} of the time of {before['name']} (at most {most:g}): "
                    f"{verdict}"
                )


def _placed(row: dict[str, Any], task: str, board: str) -> bool:
    return row["task"] == task and "ms" in row and board in row.get("scores", {})


def _headline(row: dict[str, Any], board: str) -> float:
    return float(next(iter(row["scores"][board]["metrics"].values())))


def _ratio(row: dict[str, Any], before: dict[str, Any]) -> float:
    return float(row["ms"]["network"][1] / before["ms"]["network"][1])


# === the page ===


def write_page(page: Path, results: Results) -> None:
    """Put the tables between the page's markers, `<!-- detect -->` and `<!-- end -->`, and the
    picture beside it.
    """
    text = page.read_text(encoding="utf-8")
    for board in _COLUMNS:
        task = board.partition("-")[0]
        inside = "\n".join(table(results, board))
        text = _between(text, task, inside)
    drawn = [task for task, board in _BOARDS.items() if _shown(results, task, board)]
    picture = page.with_suffix(".svg")
    if drawn:
        write_bytes(picture, drawing(results, drawn))
        text = _between(text, "front", f"![Score against milliseconds]({picture.name})")
    text = _between(text, "machine", _machine(results))
    write_text(page, text)


def _between(text: str, marker: str, inside: str) -> str:
    pattern = rf"(<!-- {marker} -->\n).*?(<!-- end -->)"
    return re.sub(
        pattern, lambda found: f"{found[1]}\n{inside}\n\n{found[2]}", text, flags=re.DOTALL
    )


def _machine(results: Results) -> str:
    days = sorted({row["timed"] for row in results.values() if "timed" in row})
    if not days:
        return "The times are yet to be measured on a quiet machine."
    from cvtasks.engines.openvino_models import facts
    from cvtasks.training.run_folder import machine  # loads Keras

    cpu = facts()["openvino"]
    return f"Times: {cpu}; {machine()}; {', '.join(days)}."


def table(results: Results, board: str) -> list[str]:
    """The table of a task in Markdown, the best first; ours in bold type."""
    task = board.partition("-")[0]
    rows = [(key, row) for key, row in results.items() if board in row.get("scores", {})]
    rows.sort(key=lambda one: -_headline(one[1], board))
    further = [
        (name, title, standard)
        for name, title, standard in _FURTHER.values()
        if name.startswith(task) and any(name in row["scores"] for _, row in rows)
    ]
    head = ["model", "px", "run by", *_COLUMNS[board], *(title for _, title, _ in further), *_TIMES]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    base = next((row for _, row in rows if row["ours"] and row["precision"] == "f32"), None)
    for _, row in rows:
        scores = row["scores"]
        cells = [
            f"**{row['name']}**" if row["ours"] else row["name"],
            str(row["size"]),
            f"{row['runtime']} {row['precision']}",
            *_numbers(scores[board], list(_COLUMNS[board].values())),
            *(
                _short(scores[name]["metrics"].get(standard)) if name in scores else ""
                for name, _, standard in further
            ),
            *_cost(row, base),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _numbers(scored: dict[str, Any], standards: Sequence[str]) -> Iterator[str]:
    for number, standard in enumerate(standards):
        text = _short(scored["metrics"].get(standard))
        low, high = scored["intervals"].get(standard, (None, None))
        yield f"{text} [{_short(low)}, {_short(high)}]" if not number and low is not None else text


def _short(score: float | None) -> str:
    return score_text(score, 3).removeprefix("0")


def _cost(row: dict[str, Any], base: dict[str, Any] | None) -> list[str]:
    size = [f"{row.get('multiply_adds', 0) / 1e9:.2f}", f"{row['bytes'] / 1e6:.1f}"]
    if "ms" not in row:
        return ["–"] * 4 + size
    low, median, high = row["ms"]["network"]
    ratio = f"{_ratio(row, base):.2f}" if base and "ms" in base else "–"
    whole = row["ms"]["whole"][1]
    return [f"{median:.1f}", f"{low:.1f}–{high:.1f}", f"{whole:.1f}", ratio, *size]


# === the picture ===


def _shown(results: Results, task: str, board: str) -> list[dict[str, Any]]:
    return [row for row in results.values() if _placed(row, task, board)]


def drawing(results: Results, tasks: Sequence[str]) -> bytes:
    """Score against the network's milliseconds, a panel a task, as SVG; full marks are bf16 and
    int8, a line leads over those that nobody is both better and quicker than.
    """
    import io

    import matplotlib as mpl
    from matplotlib.figure import Figure

    named = {"detect": "AP@.5, six classes", "segment": "mean IoU, background and six classes"}
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "cvtasks"}):
        figure = Figure(figsize=(5.4 * len(tasks), 4.2), layout="constrained")
        for axes, task in zip(figure.subplots(1, len(tasks), squeeze=False)[0], tasks, strict=True):
            points = _shown(results, task, _BOARDS[task])
            _panel(axes, points, _BOARDS[task])
            axes.set(title=task, xlabel="ms, network alone", ylabel=named[task])
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def _panel(axes: Any, rows: Sequence[dict[str, Any]], board: str) -> None:
    places = [(row["ms"]["network"][1], _headline(row, board)) for row in rows]
    best, line = 0.0, []
    for ms, score in sorted(places, key=lambda place: (place[0], -place[1])):
        if score > best:
            best = score
            line.append((ms, score))
    axes.step(*zip(*line, strict=True), where="post", color="0.6", linewidth=1, zorder=1)
    for row in rows:
        ms, score = row["ms"]["network"][1], _headline(row, board)
        colour = "C0" if row["ours"] else "C1"
        axes.scatter(
            ms,
            score,
            marker="o" if row["ours"] else "s",
            facecolor="white" if row["precision"] == "f32" else colour,
            edgecolor=colour,
            zorder=2,
        )
    axes.set_xlim(0, 1.15 * max(ms for ms, _ in places))
    axes.margins(y=0.15)
    axes.grid(alpha=0.3)
    for name, group in _by_network(rows):
        ms, score = max((row["ms"]["network"][1], _headline(row, board)) for row in group)
        right = ms > axes.get_xlim()[1] / 2  # its name would leave the panel
        axes.annotate(
            name,
            (ms, score),
            xytext=(6 if right else -4, 7),
            textcoords="offset points",
            fontsize=8,
            ha="right" if right else "left",
        )


def _by_network(rows: Sequence[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """A name and a size → the rows of that network."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(f"{row['name']} {row['size']}", []).append(row)
    return list(groups.items())
