"""What pages say of models is what the models' folders hold."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SCORED = sorted(path.parent for path in (ROOT / "models").glob("*/metrics.json"))
SCORE = r"\s+\**(\d\.\d{3})\b"


@pytest.fixture(scope="module")
def models() -> ModuleType:
    spec = importlib.util.spec_from_file_location("models", ROOT / "docs" / "models.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_and_cards_are_those_of_the_folders(models: ModuleType) -> None:
    old = [path for path, text in models.pages() if path.read_text(encoding="utf-8") != text]
    assert not old, "run: python docs/models.py"


def test_another_score_is_noticed(models: ModuleType) -> None:
    folder = ROOT / "models" / "detect-yolox-nano-voc"
    text = (folder / "README.md").read_text(encoding="utf-8")
    other_score = re.sub(r"(\*\*COCO AP: 0\.)\d", r"\g<1>0", text)
    for wrong in (other_score, text.replace("2.9 MB", "1.9 MB")):
        assert wrong != text and models.card(folder, wrong) == text
    with pytest.raises(SystemExit, match="must have a place"):
        models.card(folder, "# nothing\n")


def paragraphs(name: str) -> list[str]:
    """What results.md says of a model, from its name on, and before it comes to another."""
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    own = (part.partition("From random weights")[0] for part in text.split("\n\n"))
    return [part for part in own if part.startswith(f"`{name}`")]


def test_the_results_say_what_was_measured() -> None:
    checked = 0
    for folder in SCORED:
        scores = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["metrics"]
        for part in paragraphs(folder.name):
            said = re.findall(rf"({'|'.join(map(re.escape, scores))}){SCORE}", part)
            assert all(f"{scores[name]:.3f}" == number for name, number in said), (folder, said)
            checked += len(said)
    assert checked >= 6
