"""Files of objects with masks: YOLO's lines of outlines, GeoJSON, images of their numbers, and
cut-outs.
"""

import io
from typing import Any

import numpy as np

from cvtasks.answers import Instances
from cvtasks.geometry.rings import one_ring, pieces


def yolo_segments(found: Instances, *, scores: bool = False) -> str:
    """Instances → YOLO's text of one image: a line each of class, corners of the outline as shares
    of width and height, and the score if asked for.

    An outline runs along the edges of the mask's pixels. The format knows one ring an object: holes
    and further pieces are joined to it by lines there and back, which enclose nothing. Difficult
    objects and crowds are left out, as of `yolo_text`, and so are masks that show nothing.
    """
    height, width = found.size
    lines = []
    counted = found.take(found.counted)
    for index, (label, score) in enumerate(
        zip(counted.labels.tolist(), counted.scores.tolist(), strict=True)
    ):
        ring = one_ring(*counted.crop(index))
        if not len(ring):
            continue
        shares = (ring / (width, height)).reshape(-1).tolist()
        numbers = [f"{share:.9g}" for share in shares]
        lines.append(" ".join([str(label), *numbers, *([f"{score:.6g}"] if scores else [])]))
    return "".join(f"{line}\n" for line in lines)


def geojson(found: Instances) -> dict[str, Any]:
    """Instances → GeoJSON (RFC 7946) as programs for microscopy read and write it: a feature each,
    whose geometry is a Polygon, or a MultiPolygon of several pieces, with holes, in pixels from the
    left top; its class stands at `properties.classification.name`, its score at
    `properties.measurements.score`.

    Difficult objects and crowds are left out, and so are masks that show nothing.
    """
    features = []
    counted = found.take(found.counted)
    for index, one in enumerate(counted):
        polygons = [
            [_closed(ring) for ring in (piece.outer, *piece.holes)]
            for piece in pieces(*counted.crop(index))
        ]
        if not polygons:
            continue
        shape = (
            {"type": "Polygon", "coordinates": polygons[0]}
            if len(polygons) == 1
            else {"type": "MultiPolygon", "coordinates": polygons}
        )
        about = {
            "objectType": "annotation",
            "classification": {"name": one.name},
            "measurements": {"score": one.score},
        }
        features.append({"type": "Feature", "geometry": shape, "properties": about})
    return {"type": "FeatureCollection", "features": features}


def numbers_png(numbers: np.ndarray) -> bytes:
    """(h, w) whole numbers of objects from 1, 0 for none → a PNG that holds them: indexed, with
    colours that can be told apart, up to number 255, 16-bit grey beyond.

    Raises:
        ValueError: a number is beyond 65,535.
    """
    from PIL import Image

    from cvtasks.drawing.colours import distinct_palette
    from cvtasks.media.images import mask_png

    if numbers.max(initial=0) < 256:
        return mask_png(numbers.astype(np.uint8), distinct_palette())
    if numbers.max() >= 1 << 16:
        raise ValueError(f"a PNG holds numbers up to 65,535; got {numbers.max()}.")
    encoded = io.BytesIO()
    Image.fromarray(numbers.astype(np.uint16)).save(encoded, "PNG")
    return encoded.getvalue()


def see_through_png(image: np.ndarray) -> bytes:
    """(h, w, 4) uint8 RGBA, 0 where it is see-through → a PNG."""
    from PIL import Image

    encoded = io.BytesIO()
    Image.fromarray(image).save(encoded, "PNG")
    return encoded.getvalue()


def _closed(ring: np.ndarray) -> list[list[int]]:
    return [*ring.tolist(), ring[0].tolist()]
