"""What files hold by their endings and content by its first bytes, and words for what was given
as an image and is none, so that an error can say it.
"""

import re

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif"),
    *(".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"),
)
"""Endings by which folders and globs choose images; a file that is named outright is read whatever
its name ends in.
"""
UNREAD = (
    *(".heic", ".heif", ".avif", ".jxl", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".exr", ".psd"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf"),
)
"""Endings of images of kinds that are not read: whoever passes them over says so."""

_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"RIFF": "WebP",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"GIF8": "GIF",
}
# First match wins; patterns are matched at the beginning of the content.
_WORDS = (
    (rb"....ftyp(heic|heix|hevc|heim|heis|mif1|msf1)", "a HEIC photograph"),
    (rb"....ftypavi[fs]", "an AVIF image"),
    (rb"....(ftyp|moov|mdat|wide)", "an MP4 or MOV video"),
    (rb"RIFF....AVI ", "an AVI video"),
    (rb"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (rb"FLV\x01|OggS|\0\0\x01[\xba\xb3]|0&\xb2u\x8ef\xcf\x11", "a video or a sound"),
    (rb"G.{187}G", "an MPEG transport stream, a video"),
    (rb"%PDF", "a PDF document"),
    (rb"\s*<(!doctype html|html|head|body)", "a web page (HTML)"),
    (rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?<svg", "an SVG drawing"),
    (rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!", "an archive"),
    (rb"\0\0\0\x0cjP  |\xffO\xffQ", "a JPEG 2000 image"),
    (rb"\0\0\0\x0cJXL |\xff\n", "a JPEG XL image"),
    (rb"P[1-7]\s", "a PPM, PGM or PBM image"),
    (rb"8BPS", "a Photoshop drawing"),
    (rb"v/1\x01", "an OpenEXR image"),
    (rb"....ftypcrx |FUJIFILMCCD-RAW", "the raw data of a camera"),
)


def kind_of(content: bytes) -> str | None:
    """The kind of image that content begins as: JPEG, PNG, WebP, BMP, TIFF or GIF; None for
    all else.
    """
    kind = next((kind for magic, kind in _MAGIC.items() if content.startswith(magic)), None)
    return None if kind == "WebP" and content[8:12] != b"WEBP" else kind


def is_image(content: bytes) -> bool:
    """Whether content begins as an image of a known kind does."""
    return kind_of(content) is not None


def what_it_is(content: bytes) -> str:
    """Words for content that is no known image."""
    if not content:
        return "0 bytes"
    if words := _known(content):
        return words
    head = content[:1024]
    text = all(byte >= 32 or byte in b"\t\n\r\f\x1b" for byte in head)
    return "text" if text else f"something unknown that begins with {head[:8]!r}"


def is_video(content: bytes) -> bool:
    """Whether content begins as a video file does; Ogg, FLV and WMV files that hold sound alone
    begin so too.
    """
    return "video" in (_known(content) or "")


def _known(content: bytes) -> str | None:
    for pattern, words in _WORDS:
        if re.match(pattern, content[:1024], re.IGNORECASE | re.DOTALL):
            return words
    return None
