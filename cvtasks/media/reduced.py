"""Images read smaller than they are, where only their look counts."""

import cv2
import numpy as np

from cvtasks.errors import InputError
from cvtasks.media.images import MAX_PIXELS, image_turn, read_image, upright

_JPEG = b"\xff\xd8"
_REDUCED = {
    8: cv2.IMREAD_REDUCED_COLOR_8,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    2: cv2.IMREAD_REDUCED_COLOR_2,
}


def read_reduced(
    content: bytes, side: int, name: str, max_pixels: int = MAX_PIXELS
) -> tuple[np.ndarray, tuple[int, int]]:
    """An encoded image as `read_image` gives it, a JPEG reduced to a half, a quarter or an
    eighth as long as its shorter side keeps `side` pixels, which takes a fraction of the time; and
    (height, width) of it as it is.

    Args:
        name: what errors call it.

    Raises:
        InputError: as `read_image`; damage beyond the header may stay unseen.
    """
    if not content.startswith(_JPEG):
        image = read_image(content, max_pixels, name=name)
        return image, image.shape[:2]
    size, turn = image_turn(content, max_pixels)
    factor = next((one for one in _REDUCED if min(size) // one >= side), 1)
    if factor == 1:
        return read_image(content, max_pixels, name=name), size
    try:
        reduced: np.ndarray | None = cv2.imdecode(
            np.frombuffer(content, np.uint8), _REDUCED[factor] | cv2.IMREAD_IGNORE_ORIENTATION
        )
    except cv2.error:  # some versions raise, some return None
        reduced = None
    if reduced is None:
        raise InputError(f"an image must be whole; {name!r} cannot be decoded. Copy it again.")
    return upright(cv2.cvtColor(reduced, cv2.COLOR_BGR2RGB), turn), size
