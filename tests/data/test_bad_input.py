"""What people bring that cannot be trained on: one sentence each, from `train` and from
`data check`.
"""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

CLASSES = ("hen", "fox")


def image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(
        str(path), np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    )


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def yolo(root: Path, count: int = 10, split: str = "train") -> Path:
    for number in range(count):
        image(root / "images" / split / f"{split}{number}.png", number + sum(map(ord, split)))
        write(root / "labels" / split / f"{split}{number}.txt", f"{number % 2} .5 .5 .5 .5\n")
    write(root / "data.yaml", f"train: images/train\nnames: [{', '.join(CLASSES)}]\n")
    return root


def coco(root: Path, count: int = 10, prefix: str = "im") -> Path:
    images = [
        {"id": n, "file_name": f"{prefix}{n}.png", "height": 24, "width": 32}
        for n in range(1, count + 1)
    ]
    boxes = [
        {"id": n, "image_id": n, "category_id": n % 2 + 1, "bbox": [1, 1, 8, 8]}
        for n in range(1, count + 1)
    ]
    names = [{"id": n, "name": name} for n, name in enumerate(CLASSES, start=1)]
    write(
        root / "annotations" / "train.json",
        json.dumps({"images": images, "annotations": boxes, "categories": names}),
    )
    for n in range(1, count + 1):
        image(root / "images" / f"im{n}.png", n)
    return root


def train(cli, root: Path, task: str = "detect") -> tuple[int, str]:
    """Exit code and the last sentence that `train` says."""
    code, _, said = cli(
        *("train", task, "--data", root, "--dry-run", "--backbone", "tiny", "--size", "64")
    )
    assert "Traceback" not in said
    return code, said


def check(cli, root: Path, task: str = "detect") -> tuple[int, str]:
    """Exit code and what `data check` prints; it fits a terminal."""
    code, shown, said = cli("data", "check", root, "--task", task)
    assert "Traceback" not in said
    assert max(map(len, shown.splitlines()), default=0) <= 80
    return code, f"{' '.join(shown.split())}\n{said}"


def one_sentence(said: str) -> None:
    """The last line alone is the error, and no wall of text."""
    assert len(said.rstrip().splitlines()[-1]) < 700


def test_half_of_the_images_are_missing(tmp_path: Path, cli) -> None:
    root = coco(tmp_path / "coco")
    for n in range(1, 6):
        (root / "images" / f"im{n}.png").unlink()
    code, said = train(cli, root)
    assert (code, "lacks 5 images:" in said) == (5, True), said
    one_sentence(said)
    code, said = check(cli, root)
    assert (code, "error: image missing (1)" in said, "lacks 5 images" in said) == (5, True, True)
    root = yolo(tmp_path / "yolo")
    for n in range(5):
        (root / "images/train" / f"train{n}.png").unlink()
    code, said = check(cli, root)
    assert "warning: annotation without image (5)" in said
    assert "add the images, or remove the annotations" in said


def test_half_of_the_images_are_missing_and_training_says_so(tmp_path: Path, cli, caplog) -> None:
    from cvtasks.training.plan import planned

    root = yolo(tmp_path)
    for n in range(5):
        (root / "images/train" / f"train{n}.png").unlink()
    said: list[str] = []
    planned("detect", [("data.path", str(root)), ("backbone", "tiny"), ("size", 64)], said.append)
    assert any(line.startswith("data: labels without an image: 5. The first: ") for line in said)


def test_labels_are_those_of_other_images(tmp_path: Path, cli) -> None:
    root = yolo(tmp_path / "yolo")
    for path in sorted((root / "labels/train").iterdir()):
        path.rename(path.with_name(f"other_{path.name}"))
    code, said = train(cli, root)
    assert (code, "no label file at all" in said) == (5, True), said
    one_sentence(said)
    assert check(cli, root)[0] == 5
    (root / "labels/train/train0.txt").write_text("")
    code, said = train(cli, root)
    assert (code, "Labels must belong to images: 10 have no image of their name" in said) == (
        5,
        True,
    ), said
    code, said = check(cli, root)
    assert (code, "error: labels of other images (1)" in said) == (5, True)
    assert "give labels and images the same names" in said
    root = coco(tmp_path / "coco", prefix="other")
    for code, said in (train(cli, root), check(cli, root)):
        assert (code, "im1.png" in said or "10 images" in said) == (5, True), said


def test_a_class_has_one_image(tmp_path: Path, cli) -> None:
    from cvtasks.training.plan import planned

    root = yolo(tmp_path)
    for n in range(2, 10):
        write(root / "labels/train" / f"train{n}.txt", "0 .5 .5 .5 .5\n")
    write(root / "labels/train/train0.txt", "0 .5 .5 .5 .5\n")
    said: list[str] = []
    planned("detect", [("data.path", str(root)), ("backbone", "tiny"), ("size", 64)], said.append)
    (line,) = [line for line in said if "one image to train on alone shows fox" in line]
    assert "too few to learn from. Add images of it, or leave it out" in line
    code, shown = check(cli, root)
    assert (code, "note: class in one image (1)" in shown, '"fox"' in shown) == (0, True, True)


@pytest.mark.parametrize("count", [300])
def test_thousands_of_images_show_nothing(count: int, tmp_path: Path, cli) -> None:
    root = yolo(tmp_path, count)
    for path in (root / "labels/train").iterdir():
        path.write_text("")
    code, said = train(cli, root)
    assert (code, f"{count} images of '' show none" in said or "show none" in said) == (5, True)
    one_sentence(said)
    code, said = check(cli, root)
    assert (code, f"note: empty ({count})" in said) == (5, True)
    assert f"{count} images show none" in said
    assert len(said.splitlines()) < 20


def test_thousands_of_files_are_empty(tmp_path: Path, cli) -> None:
    root = yolo(tmp_path, 300)
    for path in (root / "images/train").iterdir():
        path.write_bytes(b"")
    code, said = train(cli, root)
    assert code == 5
    one_sentence(said)
    code, said = check(cli, root)
    assert (code, "error: image cannot be read (300)" in said) == (5, True), said
    assert len(said.splitlines()) < 20


def test_a_split_lists_nothing(tmp_path: Path, cli) -> None:
    root = tmp_path / "voc"
    for number in range(4):
        image(root / "JPEGImages" / f"a{number}.png", number)
        write(
            root / "Annotations" / f"a{number}.xml",
            f"<annotation><object><name>{CLASSES[number % 2]}</name><bndbox><xmin>2</xmin>"
            "<ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>",
        )
    write(root / "ImageSets/Main/train.txt", "".join(f"a{number}\n" for number in range(4)))
    write(root / "ImageSets/Main/val.txt", "\n")
    code, said = train(cli, root)
    assert (code, 'needs at least one image; "val" of' in said) == (5, True), said
    one_sentence(said)
    code, said = check(cli, root)
    assert (code, "needs at least one image" in said) == (5, True), said


def test_two_formats_lie_in_one_folder(tmp_path: Path, cli) -> None:
    root = yolo(coco(tmp_path))
    for code, said in (train(cli, root), check(cli, root)):
        assert code == 5
        assert "in which format data are" in " ".join(said.split())
        assert '("yolo") and COCO JSON ("coco")' in said or '"coco"' in said
        one_sentence(said)
    code, _, said = cli("data", "check", root, "--format", "yolo")
    assert (code, "data: YOLO" in said) == (0, True), said
    out = tmp_path / "lists"
    code, _, said = cli("data", "split", root, "--format", "yolo", "-o", out)
    assert code == 0, said
    code, _, said = cli("data", "stats", f"{out}:val")
    assert (code, "data: YOLO" in said) == (0, True), said
