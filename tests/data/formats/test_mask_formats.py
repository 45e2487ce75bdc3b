"""Masks: every layout and every way to write ids gives the same masks; damaged ones are told in a
sentence; what was concluded is said.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from cvtasks.answers import VOID, Mask
from cvtasks.data import FORMATS, Hints, open_source, splits_of
from cvtasks.errors import CVTasksError, DataError
from cvtasks.geometry.rle import encode_rle

SIZE = (20, 32)
CLASSES = ("background", "cat", "sea dog")
COLOURS = {0: (0, 0, 0), 1: (128, 64, 0), 2: (0, 200, 30), VOID: (224, 224, 192)}
AREAS: dict[str, tuple[tuple[int, int, int, int, int], ...]] = {
    "a": ((1, 3, 5, 10, 12), (2, 8, 8, 25, 16)),  # the second over the first
    "b": (),
    "ç 1": ((2, 0, 0, 32, 4), (1, 30, 10, 32, 20)),  # at the border
}
"""Image → class, left, top, right and bottom of its areas, painted in this order."""


def ids_of(name: str, void: bool = False) -> np.ndarray:
    """The ids of an image; with `void`, a row of it at the bottom of all."""
    ids = np.zeros(SIZE, np.uint8)
    for label, left, top, right, bottom in AREAS[name]:
        ids[top:bottom, left:right] = label
    if void:
        ids[-1] = VOID
    return ids


def photo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(map(ord, path.stem))
    pixels = np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def coloured(ids: np.ndarray) -> np.ndarray:
    pixels = np.zeros((*ids.shape, 3), np.uint8)
    for label, colour in COLOURS.items():
        pixels[ids == label] = colour
    return pixels


def indexed(path: Path, ids: np.ndarray) -> None:
    """A PNG whose palette has the colours in another order than the classes."""
    order = [VOID, 2, 0, 1]
    lookup = np.zeros(256, np.uint8)
    lookup[order] = range(4)
    image = Image.fromarray(lookup[ids], "P")
    image.putpalette([part for label in order for part in COLOURS[label]])
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


Writer = Callable[[Path], None]


@dataclass(frozen=True)
class Layout:
    """A way to write the masks: `write` makes a data set, `void`: with a row of it."""

    write: Writer
    split: str = "train"
    void: bool = True
    classes: tuple[str, ...] = CLASSES
    hints: dict[str, Any] = field(default_factory=dict)
    format: str = "mask-folders"


def folders(
    images: str,
    masks: str,
    put: Callable[[Path, np.ndarray], None] = save,
    text: tuple[str, str] = ("classes.txt", "background\ncat\nsea dog\n"),
) -> Writer:
    """Images and masks by patterns of their paths."""

    def write(root: Path) -> None:
        for split in ("train", "val"):
            for name in AREAS:
                photo(root / images.format(split=split, name=name))
                put(root / masks.format(split=split, name=name), ids_of(name, void=True))
        if text[0]:
            (root / text[0]).write_text(text[1], encoding="utf-8")

    return write


LIST = "name,r,g,b\nbackground,0,0,0\ncat,128,64,0\nsea dog,0,200,30\nvoid,224,224,192\n"
CAMVID = "0 0 0\tbackground\n128 64 0\tcat\n0 200 30\tsea dog\n224 224 192\tVoid\n"
CVAT_MAP = (
    "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:128,64,0::\nsea dog:0,200,30::\n"
    "void:224,224,192::\n"
)
JSON_MAP = json.dumps(
    [
        {"name": "cat", "color": "#804000"},
        {"name": "background", "color": [0, 0, 0]},
        {"name": "sea dog", "color": [0, 200, 30]},
        {"name": "ignore", "color": "224,224,192"},
    ]
)
ROBOFLOW = "Pixel Value, Class\n0, background\n1, cat\n2, sea dog\n"


def put_colours(path: Path, ids: np.ndarray) -> None:
    save(path, coloured(ids))


def put_sixteen(path: Path, ids: np.ndarray) -> None:
    save(
        path,
        np.array([0, 1000, 2000], np.uint16)[np.minimum(ids, 2)] + (ids == VOID) * np.uint16(63000),
    )


def devkit(root: Path) -> None:
    for name in AREAS:
        photo(root / "JPEGImages" / f"{name}.jpg")
        save(root / "SegmentationClass" / f"{name}.png", coloured(ids_of(name, void=True)))
    (root / "ImageSets" / "Segmentation").mkdir(parents=True)
    (root / "ImageSets/Segmentation/train.txt").write_text("\n".join(AREAS), encoding="utf-8")
    (root / "labelmap.txt").write_text(CVAT_MAP, encoding="utf-8")


def corners(left: int, top: int, right: int, bottom: int) -> list[list[float]]:
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def coco(as_runs: bool) -> Writer:
    """COCO's JSON with the row of void as a crowd; the areas as polygons or run lengths."""

    def write(root: Path) -> None:
        images, annotations = [], []
        for number, name in enumerate(AREAS, start=7):
            photo(root / "images" / f"{name}.jpg")
            images.append({"id": number, "file_name": f"{name}.jpg", "height": 20, "width": 32})
            for label, *edges in AREAS[name]:
                outline: Any = [np.array(corners(*edges)).ravel().tolist()]
                if as_runs:
                    area = np.zeros(SIZE, bool)
                    area[edges[1] : edges[3], edges[0] : edges[2]] = True
                    outline = encode_rle(area)
                annotations.append(
                    {"image_id": number, "category_id": label, "segmentation": outline}
                )
            row = np.zeros(SIZE, bool)
            row[-1] = True
            row &= ids_of(name) == 0
            annotations.append(
                {
                    "image_id": number,
                    "category_id": 1,
                    "segmentation": encode_rle(row),
                    "iscrowd": 1,
                }
            )
        for number, entry in enumerate(annotations, start=1):
            left, top, width, height = 0, 0, 32, 20
            entry |= {"id": number, "bbox": [left, top, width, height], "area": 1}
        names = [{"id": 1, "name": "cat"}, {"id": 2, "name": "sea dog"}]
        document = {"images": images, "annotations": annotations, "categories": names}
        (root / "train.json").write_text(json.dumps(document), encoding="utf-8")

    return write


def labelme(root: Path) -> None:
    for name in AREAS:
        photo(root / f"{name}.jpg")
        shapes = [
            {"label": CLASSES[label], "points": corners(*edges), "shape_type": "polygon"}
            for label, *edges in AREAS[name]
        ]
        document = {
            "version": "5.4.1",
            "flags": {},
            "shapes": shapes,
            "imagePath": f"{name}.jpg",
            "imageData": None,
            "imageHeight": 20,
            "imageWidth": 32,
        }
        (root / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")


def cvat(root: Path) -> None:
    items = []
    for number, name in enumerate(AREAS):
        photo(root / "images" / f"{name}.jpg")
        shapes = "".join(
            f'<polygon label="{CLASSES[label]}" source="manual" occluded="0" points="'
            + ";".join(f"{x:.2f},{y:.2f}" for x, y in corners(*edges))
            + '" z_order="0"></polygon>'
            for label, *edges in AREAS[name]
        )
        items.append(
            f'<image id="{number}" name="{name}.jpg" width="32" height="20">{shapes}</image>'
        )
    labels = "".join(f"<label><name>{name}</name></label>" for name in CLASSES[1:])
    meta = f"<meta><task><labels>{labels}</labels></task></meta>"
    text = f"<annotations><version>1.1</version>{meta}{''.join(items)}</annotations>"
    (root / "annotations.xml").write_text(text, encoding="utf-8")


def label_studio(root: Path) -> None:
    tasks = []
    for number, name in enumerate(AREAS, start=1):
        photo(root / "images" / f"{name}.jpg")
        results = [
            {
                "type": "polygonlabels",
                "original_width": 32,
                "original_height": 20,
                "value": {
                    "points": [[x / 32 * 100, y / 20 * 100] for x, y in corners(*edges)],
                    "polygonlabels": [CLASSES[label]],
                },
            }
            for label, *edges in AREAS[name]
        ]
        tasks.append(
            {
                "id": number,
                "data": {"image": f"/data/upload/1/0a1b2c3d-{name}.jpg"},
                "annotations": [{"id": number, "result": results}],
            }
        )
    (root / "export.json").write_text(json.dumps(tasks), encoding="utf-8")


def supervisely(root: Path) -> None:
    names = [{"title": name, "shape": "polygon"} for name in CLASSES[1:]]
    (root / "meta.json").write_text(json.dumps({"classes": names, "tags": []}), encoding="utf-8")
    (root / "ds0" / "ann").mkdir(parents=True)
    for name in AREAS:
        photo(root / "ds0" / "img" / f"{name}.jpg")
        objects = []
        for label, left, top, right, bottom in AREAS[name]:
            ring = [[left, top], [right - 1, top], [right - 1, bottom - 1], [left, bottom - 1]]
            points = {"exterior": ring, "interior": []}
            kind = {"classTitle": CLASSES[label], "geometryType": "polygon"}
            objects.append({**kind, "points": points})
        document = {"tags": [], "size": {"height": 20, "width": 32}, "objects": objects}
        place = root / "ds0" / "ann" / f"{name}.jpg.json"
        place.write_text(json.dumps(document), encoding="utf-8")


def via(root: Path) -> None:
    document = {}
    for name in AREAS:
        photo(root / f"{name}.jpg")
        regions = [
            {
                "shape_attributes": {
                    "name": "polygon",
                    "all_points_x": [x for x, _ in corners(*edges)],
                    "all_points_y": [y for _, y in corners(*edges)],
                },
                "region_attributes": {"class": CLASSES[label]},
            }
            for label, *edges in AREAS[name]
        ]
        document[f"{name}.jpg123"] = {
            "filename": f"{name}.jpg",
            "size": 123,
            "regions": regions,
            "file_attributes": {},
        }
    (root / "via.json").write_text(json.dumps(document), encoding="utf-8")


BY_COLOUR = {"background": (0, 0, 0), "cat": (128, 64, 0), "sea dog": (0, 200, 30)}
BOTH = "images/{split}/{name}.jpg", "masks/{split}/{name}.png"
LAYOUTS = {
    "images and masks": Layout(folders(*BOTH)),
    "images and labels": Layout(folders("images/{split}/{name}.jpg", "labels/{split}/{name}.png")),
    "splits above": Layout(folders("{split}/images/{name}.jpg", "{split}/masks/{name}.png")),
    "img and ann": Layout(folders("{split}/img/{name}.jpg", "{split}/ann/{name}.jpg.png")),
    "CamVid": Layout(folders("{split}/{name}.png", "{split}annot/{name}.png")),
    "CamVid of Kaggle": Layout(
        folders(
            "{split}/{name}.png",
            "{split}_labels/{name}_L.png",
            put_colours,
            ("class_dict.csv", LIST),
        )
    ),
    "named folders": Layout(folders("{split}_images/{name}.jpg", "{split}_masks/{name}.gif")),
    "split behind": Layout(folders("images_{split}/{name}.jpg", "labels_{split}/{name}.bmp")),
    "Roboflow": Layout(
        folders(
            "{split}/{name}.jpg", "{split}/{name}_mask.png", save, ("train/_classes.csv", ROBOFLOW)
        )
    ),
    "one folder": Layout(folders("{split}/{name}.jpg", "{split}/{name}.png")),
    "satellites": Layout(folders("{split}/{name}_sat.jpg", "{split}/{name}_mask.png")),
    "label_colors.txt": Layout(folders(*BOTH, put_colours, ("label_colors.txt", CAMVID))),
    "labelmap.txt": Layout(folders(*BOTH, put_colours, ("labelmap.txt", CVAT_MAP))),
    "JSON": Layout(folders(*BOTH, put_colours, ("classes.json", JSON_MAP))),
    "palette": Layout(folders(*BOTH, indexed, ("class_dict.csv", LIST))),
    "values of the recipe": Layout(
        folders(*BOTH, put_colours, ("", "")),
        hints={"values": BY_COLOUR, "void": (224, 224, 192)},
    ),
    "16 bits": Layout(
        folders(*BOTH, put_sixteen, ("", "")),
        hints={"values": {"background": 0, "cat": 1000, "sea dog": 2000}, "void": 65000},
    ),
    "Cityscapes": Layout(
        folders(
            "leftImg8bit/{split}/bonn/{name}_leftImg8bit.png",
            "gtFine/{split}/bonn/{name}_gtFine_labelTrainIds.png",
        )
    ),
    "CamVid as it is": Layout(
        folders(
            "701_Stills_{split}/{name}.png",
            "Labeled_{split}/{name}_L.png",
            put_colours,
            ("label_colors.txt", CAMVID),
        ),
        format="mask-pairs",
    ),
    "devkit with a labelmap": Layout(devkit, format="voc-segmentation"),
    "COCO polygons": Layout(coco(as_runs=False), format="coco-masks"),
    "COCO runs": Layout(coco(as_runs=True), format="coco-masks"),
    "LabelMe": Layout(labelme, "", void=False, format="labelme-masks"),
    "CVAT": Layout(cvat, "", void=False, format="cvat-masks"),
    "Label Studio": Layout(label_studio, "", void=False, format="label-studio-masks"),
    "Supervisely": Layout(supervisely, "", void=False, format="supervisely-masks"),
    "VIA": Layout(via, "", void=False, format="via-masks"),
}


def opened(layout: Layout, root: Path) -> Any:
    return open_source(str(root), layout.split, Mask, hints=Hints(**layout.hints))


# === the table ===


def test_every_format_of_masks_is_written_here() -> None:
    rows = {name for name, one in FORMATS.items() if one.kind is Mask}
    assert {layout.format for layout in LAYOUTS.values()} == rows


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gives_the_same_masks(name: str, tmp_path: Path) -> None:
    layout = LAYOUTS[name]
    layout.write(tmp_path)
    source = opened(layout, tmp_path)
    assert source.format == FORMATS[layout.format].name
    assert source.classes == layout.classes
    assert list(source.problems()) == []
    found = {source.name(index).split("_")[0]: source[index] for index in range(len(source))}
    assert sorted(found) == sorted(AREAS)
    for key, sample in found.items():
        expected = ids_of(key, layout.void)
        if "COCO" in name:  # a crowd is void where nothing else is
            plain = ids_of(key)
            expected = np.where(plain == 0, expected, plain)
        np.testing.assert_array_equal(sample.truth.ids, expected, str(key))
        assert sample.image.shape == (*SIZE, 3)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_damaged_data_set_is_told_in_a_sentence(name: str, tmp_path: Path) -> None:
    """Thirty times, one of its files that is no image is cut, mixed up, or emptied."""
    layout = LAYOUTS[name]
    layout.write(tmp_path)
    dice = random.Random(name)
    files = sorted(path for path in tmp_path.rglob("*") if path.suffix != ".jpg" and path.is_file())
    for _ in range(30):
        path = dice.choice(files)
        whole = path.read_bytes()
        path.write_bytes(damaged(whole, dice))
        try:
            source = opened(layout, tmp_path)
            for index in range(len(source)):
                source.faults(index)
            list(source.remarks())
        except CVTasksError as error:
            assert str(error).endswith((".", "?")) and len(str(error)) > 20
        finally:
            path.write_bytes(whole)


def damaged(content: bytes, dice: random.Random) -> bytes:
    place = dice.randrange(len(content))
    return dice.choice(
        [
            b"",
            content[:place],
            content[:place] + bytes([dice.randrange(256)]) + content[place + 1 :],
            content[:place] + b"NaN" + content[place:],
            content[:place] + b"9" * 400 + content[place:],
            content.replace(b"1", b"-1e999"),
            content.replace(b"[", b"{", 1),
            content.decode("latin-1").encode("utf-16"),
        ]
    )


# === what is concluded, and said ===


def masks(root: Path, *arrays: np.ndarray, ending: str = "png") -> Path:
    for number, array in enumerate(arrays):
        photo(root / "images" / f"{number}.png")
        save(root / "masks" / f"{number}.{ending}", array)
    return root


def held(*values: int, kind: type = np.uint8) -> np.ndarray:
    array = np.zeros(SIZE, kind)
    array.ravel()[: len(values)] = values
    return array


RED = np.zeros((*SIZE, 3), np.uint8)
RED[3:5] = (200, 0, 0)


@pytest.mark.parametrize(
    ("arrays", "said", "classes"),
    [
        ([held(255)], "masks hold 0 and 255: background, object", ("background", "object")),
        ([held(1), held()], "masks hold 0 and 1: background, object", ("background", "object")),
        ([held(1, 255)], "masks hold 0, 1 and 255: background, object, void", None),
        ([held(7)], "masks hold 0 and 7: background, object", None),
        ([held(900, kind=np.uint16)], "masks hold 0 and 900: background, object", None),
        ([np.dstack([held(255)] * 3)], "masks hold 0 and 255: background, object", None),
        ([RED], "masks hold black and the colour (200, 0, 0): background, object", None),
        (
            [held(1, 2), held(255)],
            "masks hold 0, 1, 2 and 255: background, 1, 2 and void; classes.txt or `data.values` "
            "gives them other names",
            ("background", "1", "2"),
        ),
    ],
)
def test_what_masks_hold_is_concluded_and_said(
    arrays: list[np.ndarray], said: str, classes: tuple[str, ...] | None, tmp_path: Path
) -> None:
    source = open_source(str(masks(tmp_path, *arrays)), "", Mask)
    assert source.taken_for == said
    assert classes in (None, source.classes)
    assert list(source.problems()) == []
    if arrays[0].ndim == 2:
        first = int(arrays[0].ravel()[0])
        expected = 1 if len(source.classes) == 2 and first else first
        assert int(source.truth(0).ids[0, 0]) == expected


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ([held(38, 75)], "the values 0, 38 and 75"),
        ([held(2, 1) + 1], "the values 1, 2 and 3"),
        ([held(128, 255)], r"the values 0, 128 and 255, .* \(255 is void where it is not named\)"),
        ([held(2, 255)], "the values 0, 2 and 255"),
        ([held(1), held(255)], "it must be clear what 255 is; .* those with 255 have no 1"),
        ([held(255), held(255, 1), held(255)], "it must be clear what 255 is"),
        ([coloured(ids_of("a"))], r"the colours \[0, 0, 0\], \[0, 200, 30\] and \[128, 64, 0\]"),
        ([held(*range(200))], "smeared by JPEG or resized with interpolation"),
        (
            [np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)],
            "smeared by JPEG or resized",
        ),
    ],
)
def test_what_may_be_anything_is_asked_for(
    arrays: list[np.ndarray], says: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=says):
        open_source(str(masks(tmp_path, *arrays)), "", Mask)


def test_masks_of_several_pages_are_refused(tmp_path: Path) -> None:
    root, path = masks(tmp_path, held(1), ending="tif"), tmp_path / "masks" / "0.tif"
    first, second, small = (Image.fromarray(one) for one in (held(1), held(2), held(1)[:4, :4]))
    first.save(path, save_all=True, append_images=[small])  # an overview
    assert open_source(str(root), "", Mask).truth(0).ids[0, 0] == 1
    first.save(path, save_all=True, append_images=[second])
    with pytest.raises(DataError, match="has several pages"):
        open_source(str(root), "", Mask)


def test_a_value_that_no_class_has_is_a_fault_of_its_mask(tmp_path: Path) -> None:
    root = masks(tmp_path, held(1), held(3))
    hints = Hints(values={"background": 0, "cat": 1})
    (problem,) = open_source(str(root), "", Mask, hints=hints).problems()
    assert "1.png" in problem and "holds 3 in 1 pixels" in problem and "data.values" in problem


@pytest.mark.parametrize(
    ("names", "values", "void", "ids"),
    [
        ("wall\nsky", (0, 1, 2), 0, [VOID, 0, 1]),  # ADE20K: names count from 1
        ("void thing\nwall\nsky", (0, 1, 2), 0, [VOID, 0, 1]),  # void has its own line
        ("wall\nsky", (0, 1, 11), 11, [0, 1, VOID]),  # CamVid
    ],
)
def test_void_may_be_another_id(
    names: str, values: tuple[int, ...], void: int, ids: list[int], tmp_path: Path
) -> None:
    array = np.resize(np.array(values, np.uint8), SIZE)
    masks(tmp_path, array)
    (tmp_path / "classes.txt").write_text(names, encoding="utf-8")
    source = open_source(str(tmp_path), "", Mask, hints=Hints(void=void))
    assert source.classes == ("wall", "sky")
    assert source.truth(0).ids.ravel()[:3].tolist() == ids


def test_a_hint_that_plays_no_part_is_said(tmp_path: Path) -> None:
    labelme(tmp_path)
    source = open_source(str(tmp_path), "", Mask, hints=Hints(void=7))
    assert "`data.void`: of no effect on LabelMe JSON as masks" in source.notes


def test_a_legend_without_black_has_the_background_added(tmp_path: Path) -> None:
    masks(tmp_path, coloured(ids_of("a")))
    (tmp_path / "classes.csv").write_text("cat,128,64,0\nsea dog,0,200,30\n", encoding="utf-8")
    source = open_source(str(tmp_path), "", Mask)
    assert source.classes == CLASSES
    assert "black, which it does not list, is background" in source.taken_for
    np.testing.assert_array_equal(source.truth(0).ids, ids_of("a"))


@pytest.mark.parametrize("name", ["tier_{}", "{}_farbe", "a-{}-b", "{}_x1"])
def test_masks_may_have_any_word_around_their_images_names(name: str, tmp_path: Path) -> None:
    stems = ("1", "11", "x1", "2")
    for number, stem in enumerate(stems):
        photo(tmp_path / "images" / f"{stem}.jpg")
        save(tmp_path / "masks" / f"{name.format(stem)}.png", np.full(SIZE, number % 2, np.uint8))
    source = open_source(str(tmp_path), "", Mask)
    found = {source.name(index): int(source.truth(index).ids[0, 0]) for index in range(4)}
    assert found == {stem: number % 2 for number, stem in enumerate(stems)}
    save(tmp_path / "masks" / "other.png", np.zeros(SIZE, np.uint8))
    with pytest.raises(DataError):
        open_source(str(tmp_path), "", Mask)


def test_white_that_a_legend_does_not_list_is_said_to_be_void(tmp_path: Path) -> None:
    colours = coloured(ids_of("a"))
    colours[0, :3] = 255
    masks(tmp_path, colours)
    (tmp_path / "classes.csv").write_text("cat,128,64,0\nsea dog,0,200,30\n", encoding="utf-8")
    source = open_source(str(tmp_path), "", Mask)
    assert "white, which it does not list, is void" in source.taken_for
    assert source.truth(0).ids[0, :3].tolist() == [255, 255, 255]
    white = "cat,128,64,0\nsea dog,0,200,30\nsnow,255,255,255\n"
    (tmp_path / "classes.csv").write_text(white, encoding="utf-8")
    source = open_source(str(tmp_path), "", Mask)
    assert "white" not in source.taken_for and source.classes[-1] == "snow"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("class_dict.csv", "name,r,g,b\nsea,128,64,128\nground,0,0,0\n"),
        ("classes.csv", "name,value\nground,0\nsea,1\n"),
        ("classes.csv", "name,r,g,b\nsea,128,64,128\n"),
    ],
)
def test_with_a_legend_of_two_classes_white_is_the_second(
    file: str, text: str, tmp_path: Path
) -> None:
    masks(tmp_path, held(255), held())
    (tmp_path / file).write_text(text, encoding="utf-8")
    source = open_source(str(tmp_path), "", Mask)
    assert source.classes in (("ground", "sea"), ("background", "sea"))
    assert source.taken_for.startswith("masks hold 0 and 255: ")
    assert source.truth(0).ids.ravel()[:2].tolist() == [1, 0]


def test_white_is_asked_for_where_a_legend_has_several_classes(tmp_path: Path) -> None:
    masks(tmp_path, held(255))
    (tmp_path / "classes.csv").write_text("a,0\nb,1\nc,2\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"3 classes and no 255.*`data\.values=\{a = 0, b = 255"):
        open_source(str(tmp_path), "", Mask)


@pytest.mark.parametrize(
    "text", ["class\n{}\n{}\n{}\n", "name,supercategory\n{},none\n{},x\n{},x\n", "{}\n{}\n{}\n"]
)
def test_the_heading_of_a_legend_of_names_is_no_class(text: str, tmp_path: Path) -> None:
    masks(tmp_path, held(1, 2))
    (tmp_path / "classes.csv").write_text(text.format(*CLASSES), encoding="utf-8")
    source = open_source(str(tmp_path), "", Mask)
    assert source.classes == CLASSES
    assert source.truth(0).ids[0, :3].tolist() == [1, 2, 0]


# === palettes ===

BLACK, SCARLET, GREEN = (0, 0, 0), (255, 0, 0), (0, 255, 0)


def with_palettes(root: Path, *palettes: tuple[tuple[int, int, int], ...]) -> Path:
    """Masks of the indices 0, 1 … of palettes of their own."""
    for number, palette in enumerate(palettes):
        photo(root / "images" / f"{number}.png")
        image = Image.fromarray(np.resize(np.arange(len(palette), dtype=np.uint8), SIZE), "P")
        image.putpalette([part for colour in palette for part in colour])
        (root / "masks").mkdir(exist_ok=True)
        image.save(root / "masks" / f"{number}.png")
    return root


BY_NAME = {"background": BLACK, "red": SCARLET, "green": GREEN}
BY_LEGEND = "name,r,g,b\nbackground,0,0,0\nred,255,0,0\ngreen,0,255,0\n"


def test_palettes_that_differ_mean_their_colours(tmp_path: Path) -> None:
    root = with_palettes(tmp_path, (SCARLET, BLACK), (GREEN, BLACK), (SCARLET, GREEN))
    with pytest.raises(DataError, match=r"\[255, 0, 0\] in palettes that differ from file to file"):
        open_source(str(root), "", Mask)
    (root / "classes.txt").write_text("background\nred\ngreen\n", encoding="utf-8")
    with pytest.raises(DataError, match="in palettes that differ"):
        open_source(str(root), "", Mask)
    expected = [[1, 0], [2, 0], [1, 2], [0, 0]]
    photo(root / "images" / "3.png")
    save(root / "masks" / "3.png", np.zeros(SIZE, np.uint8))  # grey, without a palette
    source = open_source(str(root), "", Mask, hints=Hints(values=BY_NAME))
    assert [source.truth(index).ids[0, :2].tolist() for index in range(4)] == expected
    (root / "classes.txt").unlink()
    (root / "classes.csv").write_text(BY_LEGEND, encoding="utf-8")
    source = open_source(str(root), "", Mask)
    assert source.classes == ("background", "red", "green")
    assert [source.truth(index).ids[0, :2].tolist() for index in range(4)] == expected


def test_one_palette_of_many_that_differs_is_seen(tmp_path: Path) -> None:
    usual, other = (BLACK, SCARLET, GREEN), (BLACK, GREEN, SCARLET)
    root = with_palettes(tmp_path, *[usual] * 45, other, usual)
    (root / "classes.txt").write_text("ground\nfire\ngrass\n")
    with pytest.raises(DataError, match="in palettes that differ"):
        open_source(str(root), "", Mask)
    long = PngInfo()
    long.add_text("made by", "x" * 5000)
    for number in range(47):  # behind so much, a palette is looked for by reading all
        with Image.open(root / "masks" / f"{number}.png") as image:
            image.putpalette([part for colour in usual for part in colour])
            image.save(root / "masks" / f"{number}.png", pnginfo=long)
    assert open_source(str(root), "", Mask).classes == ("ground", "fire", "grass")


def test_palettes_that_differ_are_seen_in_the_folders_of_voc(tmp_path: Path) -> None:
    usual, other = (BLACK, SCARLET, GREEN), (BLACK, GREEN, SCARLET)
    with_palettes(tmp_path, usual, usual, other)
    (tmp_path / "images").rename(tmp_path / "JPEGImages")
    (tmp_path / "masks").rename(tmp_path / "SegmentationClass")
    (tmp_path / "classes.txt").write_text("background\nfire\ngrass\n", encoding="utf-8")
    with pytest.raises(DataError, match="in palettes that differ"):
        open_source(str(tmp_path), "", Mask)
    (tmp_path / "SegmentationClass" / "2.png").unlink()
    (tmp_path / "JPEGImages" / "2.png").unlink()
    assert open_source(str(tmp_path), "", Mask).truth(0).ids[0, :3].tolist() == [0, 1, 2]


def test_palettes_of_one_colour_on_black_are_an_object(tmp_path: Path) -> None:
    source = open_source(str(with_palettes(tmp_path, (SCARLET, BLACK), (BLACK, SCARLET))), "", Mask)
    assert source.taken_for == "masks hold black and the colour (255, 0, 0): background, object"
    assert [source.truth(index).ids[0, :2].tolist() for index in range(2)] == [[1, 0], [0, 1]]


def test_a_colour_of_a_palette_that_no_class_has_is_named(tmp_path: Path) -> None:
    root = with_palettes(tmp_path, (SCARLET, BLACK), (BLACK, (9, 9, 0)))
    (root / "classes.csv").write_text(BY_LEGEND, encoding="utf-8")
    (problem,) = open_source(str(root), "", Mask).problems()
    assert "1.png" in problem and "holds (9, 9, 0) in 320 pixels" in problem


def test_equal_palettes_are_indices_where_nothing_says_more(tmp_path: Path) -> None:
    source = open_source(str(with_palettes(tmp_path, (GREEN, SCARLET, BLACK), (GREEN,))), "", Mask)
    assert source.classes == ("background", "1", "2")
    assert source.truth(0).ids[0, :3].tolist() == [0, 1, 2]


# === which mask is whose ===


def one(path: Path, value: int = 1) -> None:
    """A mask with one pixel of a value."""
    save(path, held(value))


def told(root: Path, split: str = "") -> tuple[Any, list[str]]:
    """A source, and what is complained of."""
    complaints: list[str] = []
    source = open_source(str(root), split, Mask, lambda error: complaints.append(str(error)))
    return source, complaints


def whose(source: Any) -> dict[str, str]:
    return {
        image.name: mask.name for image, mask in zip(source.files, source.truth_files, strict=True)
    }


def test_in_one_folder_what_lacks_the_other_is_told(tmp_path: Path) -> None:
    for name in ("a (1)", "a (2)", "a (3)", "a (4)", "size_l", "size_m"):
        photo(tmp_path / f"{name}.png")
        one(tmp_path / f"{name}_mask.png")
    one(tmp_path / "a (3)_mask_1.png", 2)
    one(tmp_path / "a (4)_label.png", 2)
    one(tmp_path / "a (9)_mask.png")
    photo(tmp_path / "a (8).png")
    photo(tmp_path / "a (1)_overlay.png")
    source, complaints = told(tmp_path)
    assert whose(source) == {
        f"{name}.png": f"{name}_mask.png" for name in ("a (1)", "a (2)", "size_l", "size_m")
    }
    lonely, third, fourth, lacking = complaints
    assert "has 1 without, such as 'a (9)_mask.png'" in lonely
    assert "(3).png' has 2 masks: a (3)_mask.png, a (3)_mask_1.png. Join them" in third
    assert "(4).png' has 2 masks: a (4)_label.png, a (4)_mask.png" in fourth
    assert "lacks 1 mask: " in lacking and "a (8)_mask.png" in lacking
    (note,) = source.notes
    assert note.endswith("were passed over: 1, such as a (1)_overlay.png")


def test_where_each_image_has_several_masks_the_error_says_so(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    one(tmp_path / "a_mask.png")
    one(tmp_path / "a_label.png", 2)
    with pytest.raises(DataError, match="every image needs one mask"):
        told(tmp_path)


def test_a_png_beside_most_jpegs_is_their_mask(tmp_path: Path) -> None:
    for name in "abcd":
        photo(tmp_path / f"{name}.jpg")
        one(tmp_path / f"{name}.png")
    (tmp_path / "d.png").unlink()
    source, complaints = told(tmp_path)
    assert len(source) == 3 and len(complaints) == 1
    assert "lacks 1 mask" in complaints[0] and "d_mask.png" in complaints[0]


def test_a_mask_that_is_one_images_is_no_others(tmp_path: Path) -> None:
    for name in ("a", "a_seg", "b", "c_rgb", "c_sat"):
        photo(tmp_path / "images" / f"{name}.jpg")
    for name in ("a_seg", "b", "c"):
        one(tmp_path / "masks" / f"{name}.png")
    source, (shared, lacking) = told(tmp_path)
    assert whose(source) == {"a_seg.jpg": "a_seg.png", "b.jpg": "b.png"}
    assert "c.png' may be that of c_rgb.jpg and of c_sat.jpg" in shared
    assert "lacks 1 mask" in lacking and "a.png" in lacking


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("image{}.jpg", "mask{}.png"),
        ("IMG_{}.JPG", "img_{}.PNG"),
        ("{}_training.tif", "{}_manual1.gif"),
        ("stra\u00dfe \u00fc{}.jpg", "stra\u00dfe u\u0308{}.png"),
        ("A_{}.jpg", "a_{}_mask.png"),
    ],
)
def test_names_of_masks_may_differ_in_what_is_the_same_for_all(
    image: str, mask: str, tmp_path: Path
) -> None:
    for number in (21, 22, 30):
        photo(tmp_path / "images" / image.format(number))
        one(tmp_path / "masks" / mask.format(number))
    source, complaints = told(tmp_path)
    assert not complaints
    assert whose(source) == {image.format(n): mask.format(n) for n in (21, 22, 30)}


def test_splits_of_images_and_masks_may_be_called_otherwise(tmp_path: Path) -> None:
    for split, other in (("training", "train"), ("Val", "validation")):
        photo(tmp_path / "images" / split / f"{split}.jpg")
        one(tmp_path / "masks" / other / f"{split}.png")
    assert splits_of(str(tmp_path), Mask) == ("Val", "training")
    for split in ("training", "val"):
        source, complaints = told(tmp_path, split)
        assert not complaints and len(source) == 1


def test_folders_below_are_read_or_told(tmp_path: Path) -> None:
    for name in ("a", "more/b"):
        photo(tmp_path / "images" / f"{name}.jpg")
        one(tmp_path / "masks" / f"{name}.png")
    assert sorted(whose(told(tmp_path)[0])) == ["a.jpg", "b.jpg"]
    photo(tmp_path / "images" / "small" / "a.jpg")
    source, complaints = told(tmp_path)
    assert not complaints and whose(source) == {"a.jpg": "a.png"}
    assert [note.rpartition(": ")[2] for note in source.notes] == ["1", "1"]
    assert "small' were not read" in source.notes[1]


def test_an_image_above_splits_is_told(tmp_path: Path) -> None:
    for split in ("train", "val"):
        photo(tmp_path / "images" / split / f"{split}.jpg")
        one(tmp_path / "masks" / split / f"{split}.png")
    photo(tmp_path / "images" / "example.jpg")
    source, complaints = told(tmp_path, "train")
    assert not complaints and whose(source) == {"train.jpg": "train.png"}
    assert "images' were not read" in source.notes[0] and source.notes[0].endswith(": 1")


def test_a_split_without_a_folder_of_masks_is_told(tmp_path: Path) -> None:
    for split, folder in (("train", "masks"), ("val", "ground_truths"), ("test", "results")):
        photo(tmp_path / split / "images" / "a.jpg")
        one(tmp_path / split / folder / "a.png")
    assert splits_of(str(tmp_path), Mask) == ("train", "val")
    source, _ = told(tmp_path, "train")
    assert "test' were not read" in source.notes[0]


def test_of_several_folders_of_masks_that_differ_one_is_asked_for(tmp_path: Path) -> None:
    for number in range(3):
        photo(tmp_path / "images" / f"{number}.jpg")
        one(tmp_path / "masks" / f"{number}.png")
        one(tmp_path / "shown" / f"{number}.png", 200)  # the same regions in another value
        photo(tmp_path / "depth" / f"{number}.png")  # no masks
    assert len(told(tmp_path)[0]) == 3
    for number in range(3):
        save(tmp_path / "field" / f"{number}_field.png", 1 - held(1))
    with pytest.raises(DataError, match=r"Name the folder, as the format") as unclear:
        told(tmp_path)
    assert unclear.value.ways == {"format": "mask-folders:field"}
    for name, first in (("masks", 1), ("field", 0)):
        source = open_source(str(tmp_path), "", Mask, format=f"mask-folders:{name}")
        assert [int(source.truth(index).ids[0, 0]) for index in range(3)] == [first] * 3


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("masks/{label}/{image}.png", "has a folder for each: car, road. Join them"),
        ("masks/{image}_{label}.png", "has a file for each: car, road. Join them"),
        ("masks/task-{image}-annotation-1-by-1-tag-{label}-0.png", "Export JSON there"),
    ],
)
def test_masks_of_one_class_each_are_refused_for_their_reason(
    name: str, says: str, tmp_path: Path
) -> None:
    for image in range(3):
        photo(tmp_path / "images" / f"{image}.jpg")
        for label in ("road", "car"):
            one(tmp_path / name.format(label=label, image=image))
    with pytest.raises(DataError, match=says):
        told(tmp_path)


# === folders of any name ===


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("frames/{}.png", "masks/{}.png"),
        ("A_Training_Input/{}.jpg", "A_Training_GroundTruth/{}_segmentation.png"),
        ("x/{}.png", "y/{}.png"),
        ("imagesTr/case_{}_0000.png", "labelsTr/case_{}.png"),
        ("inputs/{}.jpg", "targets/{}_mask.png"),
        ("img_dir/{}.jpg", "ann_dir/{}.png"),
    ],
)
def test_two_folders_of_any_name_pair_up(images: str, labels: str, tmp_path: Path) -> None:
    for number in range(3):
        photo(tmp_path / images.format(number))
        one(tmp_path / labels.format(number), number)
        photo(tmp_path / "imagesTs" / f"t_{number}_0000.png")
    source, complaints = told(tmp_path)
    assert not complaints
    assert source.format == FORMATS["mask-folders"].name or "imagesTs" in source.notes[0]
    assert [int(source.truth(index).ids[0, 0]) for index in range(3)] == [0, 1, 2]


def test_pairs_of_folders_are_splits(tmp_path: Path) -> None:
    for split in ("Train", "Test"):
        for number in range(3):
            photo(tmp_path / f"{split} Images" / f"{split}{number}.jpg")
            one(tmp_path / f"{split} Labels" / f"{split}{number}.png")
    assert sorted(splits_of(str(tmp_path), Mask)) == ["test", "train"]
    source, complaints = told(tmp_path, "test")
    assert not complaints and sorted(whose(source)) == ["Test0.jpg", "Test1.jpg", "Test2.jpg"]


def test_folders_of_photographs_are_no_masks(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        for number in range(3):
            photo(tmp_path / name / f"{number}.png")
    with pytest.raises(DataError, match="hold images of the same names"):
        told(tmp_path)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (("train.csv", "a/0.jpg"), r"'train\.csv' has masks as run lengths \(EncodedPixels\)"),
        (("SegmentationClass/0.png",), "SegmentationClass without JPEGImages"),
        (("A/0.png", "A labels/7.png", "B/1.png"), r"'A' \(1\), 'A labels' \(1\), 'B' \(1\), and"),
    ],
)
def test_what_may_be_masks_is_said(files: tuple[str, ...], says: str, tmp_path: Path) -> None:
    for file in files:
        if file.endswith(".csv"):
            (tmp_path / file).write_text("ImageId,EncodedPixels\n0.jpg,1 5\n", encoding="utf-8")
        else:
            photo(tmp_path / file)
    with pytest.raises(DataError, match=says):
        told(tmp_path)


# === outlines ===


def test_boxes_alone_are_no_masks(tmp_path: Path) -> None:
    coco(as_runs=False)(tmp_path)
    document = json.loads((tmp_path / "train.json").read_text(encoding="utf-8"))
    for entry in document["annotations"]:
        del entry["segmentation"]
        entry["iscrowd"] = 0
    (tmp_path / "train.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(DataError, match=r"have boxes alone\. Train a detector"):
        open_source(str(tmp_path), "train", Mask)


def test_outlines_on_an_image_of_another_size_are_scaled(tmp_path: Path) -> None:
    labelme(tmp_path)
    for name in AREAS:
        path = tmp_path / f"{name}.jpg"
        Image.open(path).resize((64, 40)).save(path)
    source = open_source(str(tmp_path), "", Mask)
    np.testing.assert_array_equal(
        source.truth(0).ids, ids_of("a").repeat(2, axis=0).repeat(2, axis=1)
    )
    assert any("outlines were scaled" in remark for remark in source.remarks())


def test_outlines_are_drawn_on_the_upright_image(tmp_path: Path) -> None:
    """The size that the file declares tells whether they were."""
    labelme(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.open(tmp_path / "a.jpg").copy()
    image.save(tmp_path / "a.jpg", exif=exif)  # upright it is 20 wide and 32 high
    source = open_source(str(tmp_path), "", Mask)
    np.testing.assert_array_equal(source.truth(0).ids, np.rot90(ids_of("a"), -1))
    assert any("EXIF tag turns" in remark for remark in source.remarks())


def test_nuclei_are_masks_of_two_classes(cvtasks_data: Path) -> None:
    root = str(cvtasks_data / "nuclei")
    assert set(splits_of(root, Mask)) == {"train", "val"}
    source = open_source(root, "val", Mask)
    assert source.classes == ("background", "nucleus")
    shares = [float((source.truth(index).ids == 1).mean()) for index in range(0, len(source), 20)]
    assert 0.02 < float(np.mean(shares)) < 0.5
    assert all(not source.faults(index) for index in range(0, len(source), 20))
