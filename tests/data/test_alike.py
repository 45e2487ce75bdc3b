"""Which images are the same by their look, which are frames of one scene, and what stays together
because of it.
"""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Labels
from cvtasks.data import open_source
from cvtasks.data.alike import Groups, consecutive, join_copies, look_at, nearest_copies
from cvtasks.data.dividing import Shares, divide
from cvtasks.data.held_out import dealt, set_aside
from cvtasks.data.together import kept_together, keys_by_pattern, keys_from_csv
from cvtasks.errors import DataError, UsageError
from cvtasks.media.reduced import read_reduced

SIZE = (96, 128)


def blots(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """An image (h, w, 3) of large smooth blots, as no other seed gives it."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC)


def save(path: Path, image: np.ndarray, quality: int = 95) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image, (cv2.IMWRITE_JPEG_QUALITY, quality))


def look(image: np.ndarray, name: str = ""):
    return look_at(image.tobytes(), image, name)


def moved(seed: int, step: int) -> np.ndarray:
    """A frame of a scene: a background that stays, and a disc that goes by."""
    image = blots(seed)
    cv2.circle(image, (10 + 9 * step, 48), 9, (255, 255, 255), -1)
    return image


def changes(image: np.ndarray) -> dict[str, np.ndarray]:
    """What becomes of an image that is the same all the same."""
    small = cv2.resize(image, (96, 72), interpolation=cv2.INTER_AREA)
    _, packed = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, 40))
    return {
        "smaller": small,
        "compressed": cv2.imdecode(packed, cv2.IMREAD_COLOR),
        "brighter": cv2.add(image, np.full_like(image, 5)),
    }


def test_a_changed_copy_is_alike_and_no_other_image_is() -> None:
    originals = [look(blots(seed), str(seed)) for seed in range(60)]
    groups = Groups(60)
    join_copies(groups, originals)
    assert len(groups.lists()) == 60
    for seed in range(5):
        for image in changes(blots(seed)).values():
            ((_, other),) = nearest_copies([look(image)], originals)
            assert other is originals[seed]


def test_images_that_say_nothing_are_compared_by_their_bytes() -> None:
    plain = [look(np.full((*SIZE, 3), value, np.uint8)) for value in (7, 8)]
    tiny = [look(blots(1, (48, 48))), look(cv2.add(blots(1, (48, 48)), 1))]
    for pair in (plain, tiny):
        groups = Groups(2)
        join_copies(groups, pair)
        assert len(groups.lists()) == 2
        assert nearest_copies(pair[:1], pair[1:]) == []
        assert nearest_copies(pair[:1], pair) == [(pair[0], pair[0])]


def test_many_images_are_grouped_even_if_all_are_alike() -> None:
    """Each pair of 2,000 compared by itself would take minutes."""
    rng = np.random.default_rng(0)
    some = [look(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)) for _ in range(40)]
    for looks, count in ((some * 50, 40), ([look(blots(3))] * 2000, 1)):
        groups = Groups(len(looks))
        join_copies(groups, looks)
        assert len(groups.lists()) == count


def test_names_follow_each_other_by_their_last_number() -> None:
    names = ["a9", "a10", "b1", "c", "a8", "2008_01.x", "2008_03.x", "9" * 40]
    assert sorted(consecutive(names)) == [(0, 1), (4, 0), (5, 6)]


def test_a_reduced_jpeg_has_the_look_of_the_whole_one() -> None:
    for seed in range(5):
        whole = blots(seed, (600, 800))
        content = cv2.imencode(".jpg", whole)[1].tobytes()
        image, size = read_reduced(content, 32, "x.jpg")
        assert (size, image.shape) == ((600, 800), (75, 100, 3))
        ours = look_at(content, image, "", size)
        rgb = whole[..., ::-1].copy()
        assert nearest_copies([ours], [look_at(b"", rgb, "")])


# === what stays together ===


def folder(root: Path, images: dict[str, np.ndarray]) -> Path:
    for name, image in images.items():
        save(root / name, image)
    return root


def sides(source, kept: list[int], aside: list[int]) -> tuple[set[str], set[str]]:
    return {source.name(i) for i in kept}, {source.name(i) for i in aside}


def test_near_copies_stay_on_one_side(tmp_path: Path) -> None:
    for seed in range(20):
        save(tmp_path / "cat" / f"c{seed}x.jpg", blots(seed))
        save(tmp_path / "dog" / f"d{seed}x.jpg", blots(100 + seed))
    for seed in range(6):
        for kind, image in changes(blots(seed)).items():
            save(tmp_path / "cat" / f"c{seed}{kind}.jpg", image)
    source = open_source(str(tmp_path), "", Labels)
    together = kept_together(source, 0.2)
    assert (together.copies, together.copied, together.scenes) == (6, 24, 0)
    assert together.said == "6 groups of near-copies (24 images) kept together"
    for seed in range(4):
        kept, aside = sides(source, *set_aside(source, 0.2, seed, together))
        assert not {n[:2] for n in kept if n[-1] != "x"} & {n[:2] for n in aside if n[-1] != "x"}
        assert 8 <= len(aside) <= 16
        assert not kept & aside
        assert len(kept | aside) == len(source)


def test_frames_of_one_scene_stay_on_one_side(tmp_path: Path) -> None:
    for scene in range(8):
        for step in range(6):
            image = blots(scene, (96, 640))[:, 18 * step :][:, :128]
            save(tmp_path / ("cat", "dog")[scene % 2] / f"clip{scene}_{step:03d}.jpg", image)
    source = open_source(str(tmp_path), "", Labels)
    together = kept_together(source, 0.25)
    assert (together.scenes, together.frames) == (8, 48)
    kept, aside = sides(source, *set_aside(source, 0.25, 1, together))
    assert not {name[:5] for name in kept} & {name[:5] for name in aside}
    assert len(aside) == 12


def test_a_camera_that_never_moves_is_divided_in_the_order_of_time(tmp_path: Path) -> None:
    for step in range(12):
        save(tmp_path / "cat" / f"a_{step:02d}.jpg", moved(0, step))
        save(tmp_path / "dog" / f"b_{step:02d}.jpg", moved(1, step))
    source = open_source(str(tmp_path), "", Labels)
    together = kept_together(source, 0.25)
    assert together.divided == 2
    assert "too large for that, divided in order of names" in together.said
    for group in together.groups:
        numbers = sorted(int(source.name(index)[2:]) for index in group)
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
    kept, aside = set_aside(source, 0.25, 0, together)
    assert len(kept) + len(aside) == 24
    assert 3 <= len(aside) <= 9


def plain(root: Path, count: int = 30, classes: tuple[str, ...] = ("cat", "dog")) -> Path:
    """Class folders of small images without anything in common."""
    rng = np.random.default_rng(0)
    for name in classes:
        for number in range(count):
            image = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
            save(root / name / f"{name}{number // 3:02d}_{number}.png", image)
    return root


def test_groups_of_the_users_own_stay_whole_and_shares_are_those_of_images(tmp_path: Path) -> None:
    source = open_source(str(plain(tmp_path)), "", Labels)
    keys = keys_by_pattern(source, r"^\D+(\d+)_")
    assert len(set(keys)) == 10
    together = kept_together(source, 0.2, keys)
    assert together.copies == 0, "the user's groups are no near-copies"
    kept, aside = set_aside(source, 0.2, 0, together)
    assert not {keys[i] for i in kept} & {keys[i] for i in aside}
    assert len(aside) == 12


def test_one_large_group_does_not_make_the_share_another(tmp_path: Path) -> None:
    source = open_source(str(plain(tmp_path)), "", Labels)
    keys = ["big" if i % 30 < 15 else None for i in range(60)]
    for seed in range(5):
        kept, aside = set_aside(source, 0.2, seed, kept_together(source, 0.2, keys))
        assert 10 <= len(aside) <= 14
        assert {keys[i] for i in aside} == {None}, "half of all cannot be a fifth"
        assert len(kept) == 60 - len(aside)


def test_the_parts_and_folds_hold_every_sample_once(tmp_path: Path) -> None:
    source = open_source(str(plain(tmp_path)), "", Labels)
    together = kept_together(source, 0.1)
    rest, test, val = dealt(source, (0.1, 0.2), 3, together)
    assert (len(rest), len(test), len(val)) == (42, 6, 12)
    assert sorted([*rest, *test, *val]) == list(range(60))
    parts = divide(source, Shares(test=0.0, folds=5, seed=3)).parts
    found = [(parts[f"fold{n}/train"], parts[f"fold{n}/val"]) for n in range(5)]
    assert [len(aside) for _, aside in found] == [12] * 5
    assert sorted(index for _, aside in found for index in aside) == list(range(60))
    for kept, aside in found:
        assert sorted([*kept, *aside]) == list(range(60))
        assert sum(source.name(i).startswith("cat") for i in aside) == 6, "by class"
    assert not divide(source, Shares()).missed
    with pytest.raises(DataError, match=r"61 parts need as many groups .* 60 images are in 60"):
        divide(source, Shares(test=0.0, folds=61))


def test_groups_from_names_and_from_a_file(tmp_path: Path) -> None:
    source = open_source(str(plain(tmp_path / "set", 4)), "", Labels)
    with pytest.raises(UsageError, match=r"is none: .*Example"):
        keys_by_pattern(source, "(")
    with pytest.raises(UsageError, match="matches none of 8"):
        keys_by_pattern(source, "^wolf")
    assert keys_by_pattern(source, "cat.._").count(None) == 4
    lines = tmp_path / "groups.csv"
    lines.write_text("name,patient\ncat00_0,p1\ncat00_1.png,p1\nset/dog/dog00_2.png,p2\nemu,p3\n")
    found = keys_from_csv(source, lines)
    named = {source.name(index): key for index, key in enumerate(found.groups) if key}
    assert (named, found.strange) == ({"cat00_0": "p1", "cat00_1": "p1", "dog00_2": "p2"}, 1)
    assert (found.heading, found.first) == ("name,patient", "'emu' in line 5")
    lines.write_text("cat00_0,p1\ncat00_1 , p1 \ncat01_0,\ncat01_1, \n")
    assert sorted(filter(None, keys_from_csv(source, lines).groups)) == ["p1", "p1"], (
        "blanks part no group, nothing is none"
    )
    lines.write_text("name;patient\ncat00_0;p1\n")
    assert list(filter(None, keys_from_csv(source, lines).groups)) == ["p1"]
    for text, words in (
        ("cat00_0,p1\ncat00_0,p2\n", "belongs to one group"),
        ("cat00_0 p1\n", r"NAME,GROUP; line 1 of .* has 1 value\."),
        ("\n\ncat00_0,p1\n  \ncat00_1\n", r"NAME,GROUP; line 5 of .* has 1 value\."),
        ("sep=;\n\ncat00_0;p1\ncat00_1;p1;3\n", r"NAME,GROUP; line 4 of .* has 3 values\."),
        ("a,b\nc,d\n", "names none"),
    ):
        lines.write_text(text)
        with pytest.raises(DataError, match=words):
            keys_from_csv(source, lines)


@pytest.mark.parametrize(
    ("text", "strange", "heading"),
    [
        ("cat99.png,p1\ncat00_1.png,p1\n", 1, ""),  # a slip, as in any other line
        ("cat99.png,p9\ncat00_1.png,p1\n", 1, ""),
        ("cat99,p1\ncat00_1,p1\n", 1, ""),
        ("twice.png,p9\ncat00_1.png,p1\n", 1, ""),  # which of them?
        ("twice,p9\ncat00_1,p1\n", 1, ""),
        ("Image Path,p1\ncat00_1,p1\n", 0, "Image Path,p1"),
        ("bild,gruppe\ncat00_1.png,p1\n", 0, "bild,gruppe"),
        ("scan,patient\ncat00_1.png,p1\n", 0, "scan,patient"),
        ("\n\nscan;patient\ncat00_1.png;p1\n", 0, "scan,patient"),
        ("cat00_0,p1\ncat00_1.png,p1\n", 0, ""),
    ],
)
def test_a_slip_in_the_first_line_of_groups_is_no_heading(
    tmp_path: Path, text: str, strange: int, heading: str
) -> None:
    root = plain(tmp_path / "set", 4)
    for name in ("cat", "dog"):
        Image.effect_noise((40, 40), 30 + len(name)).save(root / name / "twice.png")
    (tmp_path / "groups.csv").write_text(text)
    found = keys_from_csv(open_source(str(root), "", Labels), tmp_path / "groups.csv")
    assert found.strange == strange
    assert found.heading == heading


def test_what_cannot_be_read_is_on_its_own(tmp_path: Path) -> None:
    root = plain(tmp_path, 5)
    (root / "cat" / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    shutil.copy(root / "cat" / "broken.jpg", root / "dog" / "broken2.jpg")
    source = open_source(str(root), "", Labels)
    together = kept_together(source, 0.2)
    assert (together.copies, together.copied) == (1, 2), "their bytes are the same"
