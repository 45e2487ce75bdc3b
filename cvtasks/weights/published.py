"""Models that others publish: where their weights are, and what is known of them.

YOLOX: Ge et al., "YOLOX: Exceeding YOLO Series in 2021" (arXiv:2107.08430). Code and weights are
Megvii's, under the Apache License 2.0.
"""

from dataclasses import dataclass

BASE_URL = "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0"
PROJECT = "https://github.com/Megvii-BaseDetection/YOLOX"
OWNER = "Copyright (c) 2021-2022 Megvii Inc."


@dataclass(frozen=True)
class Published:
    """A detector of COCO's 80 classes.

    Attributes:
        file: of its weights, below the base URL.
        backbone: a name of `BACKBONES`.
        size: side of its input in pixels.
        parameters: how many it has; four bytes each, and as much again where the file holds the
            state of the optimizer.
        ap: COCO AP on val2017, 0 to 1, as its authors publish it.
    """

    file: str
    backbone: str
    size: int
    parameters: int
    ap: float

    @property
    def least(self) -> int:
        """Bytes that its file has at least; the number of parameters is rounded."""
        return 36 * self.parameters // 10

    @property
    def most(self) -> int:
        """Bytes that its file has at most: the weights, their average, an optimizer's state."""
        return 16 * self.parameters + (4 << 20)


PUBLISHED = {
    "detect-yolox-nano-coco": Published("yolox_nano.pth", "cspdarknet-nano", 416, 910_000, 0.258),
    "detect-yolox-tiny-coco": Published("yolox_tiny.pth", "cspdarknet-tiny", 416, 5_060_000, 0.328),
    "detect-yolox-s-coco": Published("yolox_s.pth", "cspdarknet-s", 640, 8_970_000, 0.405),
    "detect-yolox-m-coco": Published("yolox_m.pth", "cspdarknet-m", 640, 25_330_000, 0.469),
    "detect-yolox-l-coco": Published("yolox_l.pth", "cspdarknet-l", 640, 54_210_000, 0.497),
    "detect-yolox-x-coco": Published("yolox_x.pth", "cspdarknet-x", 640, 99_070_000, 0.511),
}
"""Name → what is published under it; `cvtasks models get NAME` fetches it."""
