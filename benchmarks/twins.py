"""How alike copies of a photograph look, and how alike different photographs do: to a model, whose
cosine is that from which on `cvtasks data review` calls two images twins; and by hash and pixels,
by which `cvtasks data check` and the splits tell near-copies and scenes (`cvtasks.data.alike`).

    python benchmarks/twins.py IMAGES [MODEL...] [--videos FOLDER]

Prints, for each model, the cosines of copies (the smallest of a hundred, the tenth, the median) and
those of each image with the most similar other one (the median, the tenth and the largest from
above), and how many of both are at least as large as some thresholds. Without a model: in how many
bits and levels copies of all images differ (the median, the hundredth from the end, the largest),
how many of all pairs of images are within some thresholds, how many of those that follow each other
by their names, and of the frames of each video that are a second apart.
"""

import argparse
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from cvtasks import load
from cvtasks.data.alike import FAR, NEAR, SCENE_FAR, SCENE_NEAR, Look, apart, consecutive, look_at
from cvtasks.data.formats.listing import images_in
from cvtasks.evaluation.review.embedding import embeddings
from cvtasks.media.images import read_image
from cvtasks.media.streams import video_stream

_COUNT = 100
_LEAST = (0.91, 0.93, 0.95, 0.97)
_WITHIN = ((FAR, NEAR), (8, 8.0), (10, 10.0), (12, 12.0), (SCENE_FAR, SCENE_NEAR))


def _smaller(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def _pressed(image: np.ndarray) -> np.ndarray:
    content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    return cv2.imdecode(content, cv2.IMREAD_COLOR)


def _cut(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    return image[height // 20 : -(height // 20), width // 20 : -(width // 20)]


def _brighter(image: np.ndarray) -> np.ndarray:
    return cv2.convertScaleAbs(image, alpha=1.15, beta=10)


COPIES = {"half the size": _smaller, "JPEG 40": _pressed, "cut by 5 %": _cut, "brighter": _brighter}


def _look(image: np.ndarray) -> Look:
    return look_at(image.tobytes(), image, "")


def _distances(one: Sequence[Look], other: Sequence[Look]) -> np.ndarray:
    """(n, 2) bits and levels between the looks of each place."""
    if not one:
        return np.zeros((0, 2))
    bits = [np.bitwise_count(mine.bits ^ its.bits) for mine, its in zip(one, other, strict=True)]
    small = (np.stack([look.small for look in looks]) for looks in (one, other))
    return np.stack([np.array(bits, float), apart(*small)], axis=1)


def _within(distances: np.ndarray) -> str:
    """How many are within each pair of thresholds."""
    return ", ".join(
        f"{int((distances <= most).all(axis=1).sum())} in {most[0]} bits and {most[1]:g} levels"
        for most in _WITHIN
    )


def measure_looks(files: Sequence[Path], videos: Path | None) -> None:
    """Print distances of copies, of other images, of neighbours and of frames."""
    looks: list[Look] = []
    copies: dict[str, list[Look]] = {name: [] for name in COPIES}
    for file in files:
        image = read_image(file)
        look = _look(image)
        if look.telling:
            looks.append(look)
            for name, copy in COPIES.items():
                copies[name].append(_look(copy(image)))
    print(f"{len(looks)} images")
    for name, made in copies.items():
        found = _distances(looks, made)
        for unit, numbers in zip(("bits", "levels"), np.sort(found, axis=0).T, strict=True):
            middle, late = numbers[len(numbers) // 2], numbers[-1 - len(numbers) // 100]
            print(f"  {name}: {unit} {middle:.1f}, {late:.1f}, {numbers[-1]:.1f}")
        print(f"  {name}: {_within(found)}")
    bits = np.array([look.bits for look in looks])
    near = []
    for row, own in enumerate(bits[:-1]):
        columns = row + 1 + np.flatnonzero(np.bitwise_count(bits[row + 1 :] ^ own) <= SCENE_FAR)
        near += [(row, int(column)) for column in columns]
    pairs = len(looks) * (len(looks) - 1) // 2
    rows, columns = zip(*near, strict=True) if near else ((), ())
    found = _distances([looks[i] for i in rows], [looks[i] for i in columns])
    print(f"of {pairs:,} pairs of other images: {_within(found)}")
    following = list(consecutive([file.stem for file in files]))
    ours, theirs = ([_look(read_image(files[pair[i]])) for pair in following] for i in (0, 1))
    print(f"of {len(following)} neighbours by name: {_within(_distances(ours, theirs))}")
    for file in sorted(videos.iterdir()) if videos else ():
        if file.suffix == ".mp4":
            video = video_stream(str(file)).open()
            second = max(1, round(video.rate))
            frames = [_look(one.image) for n, one in enumerate(video) if n % second == 0]
            one, other = zip(*pairwise(frames), strict=True)
            print(f"of {len(one)} seconds of {file.name}: {_within(_distances(one, other))}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--videos", type=Path)
    given = parser.parse_args()
    files = images_in(given.images)
    if not given.models:
        measure_looks(files, given.videos)
    chosen = np.random.default_rng(0).choice(len(files), min(_COUNT, len(files)), replace=False)
    images = [read_image(files[index]) for index in chosen]
    for name in given.models:
        model = load(name, engine="keras")
        whole = embeddings(model, images)
        others = whole @ whole.T - 2 * np.eye(len(whole))
        nearest = np.sort(others.max(axis=1))
        print(
            f"{name}: others {nearest[len(nearest) // 2]:.3f}, {nearest[-10]:.3f}, "
            f"{nearest[-1]:.3f}; from .91 .93 .95 .97: "
            f"{[int((nearest >= least).sum()) for least in _LEAST]}"
        )
        for kind, copy in COPIES.items():
            made = embeddings(model, [copy(image) for image in images])
            same = np.sort((made * whole).sum(axis=1))
            print(
                f"  {kind}: {same[0]:.3f}, {same[9]:.3f}, {same[len(same) // 2]:.3f}; "
                f"{[int((same >= least).sum()) for least in _LEAST]}"
            )


if __name__ == "__main__":
    main()
