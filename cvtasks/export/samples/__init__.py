"""Code beside an exported file: how other programs feed it, and what they get.

One module a language. Each gives text with the model's own numbers and names, for a program that
takes an image, lays it on the network input as the model expects it, runs the file and tells what
it found.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pkgutil import resolve_name

from cvtasks.export import INPUT
from cvtasks.export.facts import named
from cvtasks.geometry.letterbox import GREY
from cvtasks.recipe.recipe import Recipe


@dataclass(frozen=True)
class Sample:
    """One row of the table of samples.

    Attributes:
        title: of its part of the page.
        language: as Markdown calls it.
        make: "module:function"; takes `Told`, and gives the code.
        formats: of the files that it reads.
        tried: whether the code is run by this project's own tests, and where.
    """

    title: str
    language: str
    make: str
    formats: tuple[str, ...]
    tried: str


@dataclass(frozen=True)
class Told:
    """What a sample is filled with.

    Attributes:
        file: the exported file's name.
        format: a row of `cvtasks.export.EXPORTS`.
        recipe: the model's.
        decoded: whether the file answers with boxes or class ids (`cvtasks.export.decoding`).
    """

    file: str
    format: str
    recipe: Recipe
    decoded: bool

    @property
    def kind(self) -> str:
        """What the file answers with: "boxes", "ids", "scores" of classes, or "arrays" that are to
        be decoded.
        """
        if self.decoded:
            return "ids" if self.recipe.task.name == "segment" else "boxes"
        return "scores" if self.recipe.task.name == "classify" else "arrays"

    @property
    def outputs(self) -> tuple[str, ...]:
        """What the file's outputs are called."""
        if not self.decoded:
            return tuple(named(self.recipe))
        from cvtasks.export.decoding.files import answer_shapes

        return tuple(answer_shapes(self.recipe))

    @staticmethod
    def quoted(text: str) -> str:
        """A text as a literal of languages that write it as JSON does."""
        return json.dumps(text, ensure_ascii=False)

    def fill(self, text: str) -> str:
        """A template with `@FILE@`, `@INPUT@`, `@WIDTH@`, `@HEIGHT@`, `@TOP@`, `@LEFT@`, `@GREY@`
        and `@CLASSES@` replaced; `@TOP@` and `@LEFT@` by where the image begins.
        """
        height, width = self.recipe.input_size
        centred = self.recipe.placement == "centre"
        values: Mapping[str, str] = {
            "FILE": self.file,
            "INPUT": INPUT,
            "WIDTH": str(width),
            "HEIGHT": str(height),
            "TOP": f"({height} - height) / 2" if centred else "0",
            "LEFT": f"({width} - width) / 2" if centred else "0",
            "GREY": str(GREY),
            "CLASSES": json.dumps(list(self.recipe.classes), ensure_ascii=False),
        }
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        return text.strip() + "\n"


SAMPLES: tuple[Sample, ...] = (
    Sample(
        "Python",
        "python",
        "cvtasks.export.samples.python:code",
        ("onnx", "openvino", "litert"),
        "run by the tests of cvtasks",
    ),
    Sample(
        "C++, OpenCV DNN",
        "cpp",
        "cvtasks.export.samples.cpp:code",
        ("onnx",),
        "OpenCV 5 or later, as 4.13 and older misread some networks; compiled by the tests of "
        "cvtasks, which ask OpenCV 5.0 from Python",
    ),
    Sample(
        "JavaScript, onnxruntime-web",
        "js",
        "cvtasks.export.samples.javascript:code",
        ("onnx",),
        "run in Chromium by `benchmarks/export_samples.py`; a browser scales images in its own "
        "way, and scores differ by what that makes",
    ),
    Sample(
        "Android, LiteRT",
        "kotlin",
        "cvtasks.export.samples.kotlin:code",
        ("litert",),
        "not run by us",
    ),
)
"""The table of samples."""


def samples(told: Told) -> list[tuple[Sample, str]]:
    """The samples for a file, with their code."""
    found = []
    for sample in SAMPLES:
        make: Callable[[Told], str] = resolve_name(sample.make)
        if told.format in sample.formats:
            found.append((sample, make(told)))
    return found


def as_markdown(told: Told) -> str:
    """The samples as part of a page; empty where there are none for the format."""
    parts = [
        f"### {sample.title}\n\n({sample.tried})\n\n```{sample.language}\n{code}```\n"
        for sample, code in samples(told)
    ]
    return "\n".join(["## Code\n", *parts]) if parts else ""
