"""Whether tests notice what they did: mutations of an old revision, repeated in a new one.

    python benchmarks/mutations.py OLD [NEW] [--count 30] [--seed 0] [--log mutations.jsonl]

Draws mutations from the old tree, by folder in proportion to its lines: one operator, constant or
branch each. Each is repeated in the new tree, at the same statement, wherever that has moved. In
both, the tests of the folder that it now lies in run, those of its own module first, and then the
laws, until the first failure; who survives is listed. Tests that are kept for once a week are left
out, and what fails without the mutation too. Takes hours; each result is written as it comes, and a
second call goes on where the first was stopped, or works `--backwards` on the same log beside it.
"""

import argparse
import ast
import difflib
import io
import json
import os
import random
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
SWAPPED = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
}
WORDS = {"picture": "image", "Picture": "Image"}
"""Words that were changed throughout; statements are compared after them."""
LIKENESS = 0.75
"""How alike two statements of one function must be at least to count as the same."""
PATIENCE_S = 1200
"""After that long a test hangs, which is a failure too; the tests of a folder take minutes."""


@dataclass(frozen=True)
class Mutation:
    """A change of one place: bytes `start` to `end` of the file give way to `text`."""

    file: str
    function: str
    statement: str
    kind: str
    number: int  # which of its kind within the statement
    line: int
    start: int
    end: int
    text: str


def spread(node: ast.AST, source: bytes) -> Iterator[tuple[str, int, int, str]]:
    """The mutations of one node: kind, bytes from and to, new text."""
    starts = line_starts(source)

    def at(line: int, column: int) -> int:
        return starts[line - 1] + column

    def between(
        left: ast.expr, right: ast.expr, op: ast.AST
    ) -> Iterator[tuple[str, int, int, str]]:
        if type(op) in SWAPPED:
            old, new = SWAPPED[type(op)]
            first = at(left.end_lineno or 0, left.end_col_offset or 0)
            place = source.find(old.encode(), first, at(right.lineno, right.col_offset))
            if place >= 0:
                yield old, place, place + len(old), new

    match node:
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            for a, op, b in zip([left, *comparators], ops, comparators, strict=False):
                yield from between(a, b, op)
        case ast.BinOp(left=left, op=op, right=right):
            yield from between(left, right, op)
        case ast.BoolOp(op=op, values=[left, right, *_]):
            yield from between(left, right, op)
        case ast.Constant(value=bool() as value):
            begin = at(node.lineno, node.col_offset)
            yield str(value), begin, begin + len(str(value)), str(not value)
        case ast.Constant(value=int() | float() as value):
            begin, end = at(node.lineno, node.col_offset), at(node.end_lineno, node.end_col_offset)
            yield repr(value), begin, end, f"({value!r} + 1)"
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            begin, end = at(test.lineno, test.col_offset), at(test.end_lineno, test.end_col_offset)
            yield "branch", begin, end, f"(not ({source[begin:end].decode()}))"


@cache
def line_starts(source: bytes) -> list[int]:
    """Where each line begins."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts


def header(statement: ast.stmt) -> str:
    """The statement in one spelling, without the statements inside it."""
    bare = {"body": [], "orelse": [], "finalbody": [], "handlers": [], "cases": []}
    copied = type(statement)(
        **{name: bare.get(name, value) for name, value in ast.iter_fields(statement)}
    )
    text = ast.unparse(ast.fix_missing_locations(copied))
    for old, new in WORDS.items():
        text = text.replace(old, new)
    return text


def mutations_of(root: Path, file: Path) -> Iterator[Mutation]:
    """All mutations of a file of the package, but of its annotations and of its docstrings."""
    source = file.read_bytes()
    name = file.relative_to(root).as_posix()

    def walk(
        node: ast.AST, function: str, statement: ast.stmt, seen: Counter
    ) -> Iterator[Mutation]:
        if isinstance(node, ast.stmt) and node is not statement:
            statement, seen = node, Counter()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            function = node.name
        for kind, start, end, text in spread(node, source):
            line = source.count(b"\n", 0, start) + 1
            said = header(statement)
            yield Mutation(name, function, said, kind, seen[kind], line, start, end, text)
            seen[kind] += 1
        for field, value in ast.iter_fields(node):
            if field not in ("annotation", "returns", "op", "ops"):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        yield from walk(child, function, statement, seen)

    for top in ast.parse(source).body:
        yield from walk(top, "", top, Counter())


def package_files(root: Path) -> list[Path]:
    """Modules of the package in a tree."""
    return sorted((root / "cvtasks").rglob("*.py"))


def room_of(file: str) -> str:
    """The folder of the package that a file lies in; its name where it lies at the root."""
    return Path(file).parts[1].removesuffix(".py")


def drawn(root: Path, count: int, seed: int) -> list[Mutation]:
    """Mutations by folder, in proportion to its lines; more than needed, as some find no place."""
    lines: Counter[str] = Counter()
    choice = defaultdict(list)
    for file in package_files(root):
        folder = file.parent.relative_to(root).as_posix()
        lines[folder] += file.read_bytes().count(b"\n")
        choice[folder] += mutations_of(root, file)
    rng = random.Random(seed)
    found = []
    while len(found) < count and any(choice.values()):
        folder = rng.choices(list(lines), [lines[f] * bool(choice[f]) for f in lines])[0]
        found.append(choice[folder].pop(rng.randrange(len(choice[folder]))))
    return found


def repeated(mutation: Mutation, candidates: list[Mutation]) -> Mutation | None:
    """The same mutation in another tree: of the same statement, best in a function of its name."""
    same = [one for one in candidates if one.kind == mutation.kind and one.text == mutation.text]
    if mutation.kind == "branch":
        same = [one for one in candidates if one.kind == "branch"]

    def likeness(one: Mutation) -> tuple[float, bool, bool, float]:
        text = difflib.SequenceMatcher(None, one.statement, mutation.statement, False).ratio()
        paths = difflib.SequenceMatcher(None, one.file, mutation.file, False).ratio()
        return text, one.function == mutation.function, one.number == mutation.number, paths

    exact = [one for one in same if one.statement == mutation.statement]
    near = exact or [one for one in same if one.function == mutation.function]
    best = max(near, key=likeness, default=None)
    return best if best and likeness(best)[0] >= LIKENESS else None


def unpacked(revision: str, place: Path) -> Path:
    """The tree of a revision, in a folder of its own."""
    packed = subprocess.run(
        ["git", "archive", revision], cwd=ROOT, check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(place, filter="data")
    return place


def test_files(tree: Path, new: Path, file: str) -> list[str]:
    """Test files of the folder of a module, its own first, and the laws, in the layout of either
    tree.
    """
    room, own = room_of(file), f"test_{Path(file).stem}.py"
    names = [
        test.name
        for folder in (room, "laws")
        for test in sorted((new / "tests" / folder).rglob("test_*.py"))
    ]
    names += [test.name for test in [new / f"tests/test_{room}.py"] if test.is_file()]
    there = {test.name: str(test.relative_to(tree)) for test in tree.glob("tests/**/test_*.py")}
    return [there[name] for name in sorted(names, key=lambda name: name != own) if name in there]


def run(tree: Path, files: list[str], leave_out: list[str], *more: str) -> tuple[int, list[str]]:
    """Exit code of pytest and the tests that failed."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(tree),
        "PYTHONDONTWRITEBYTECODE": "1",  # a changed file of the same size and second is read again
    }
    unwanted = [word for test in leave_out for word in ("--deselect", test)]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *more]
    command += ["-n", "2", "-m", "not weekly"]
    command += ["-o", "addopts=--import-mode=importlib --dist=loadfile -rfE", *unwanted, *files]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        running = subprocess.Popen(
            command, cwd=tree, env=environment, stdout=output, stderr=output, process_group=0
        )
        try:
            code = running.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)  # its workers too
            running.wait()
            return 1, ["hangs"]
        output.seek(0)
        said = [line.strip().split(" - ")[0].split(maxsplit=1) for line in output]
    failed = [words[1] for words in said if words[:1] in (["FAILED"], ["ERROR"]) and words[1:]]
    return code, failed


def noticing(tree: Path, files: list[str], mutation: Mutation, log: "Log", key: str) -> list[str]:
    """The first tests that notice the mutation; none where it survives.

    Args:
        key: under which the log keeps the tests that fail without any mutation.
    """
    while True:
        unsound = log.results().get(key, [])
        failed = failing(tree, files, mutation, unsound)
        tests = [test for test in failed if "::" in test]
        without = set(run(tree, tests, [])[1]) if tests else set()
        if without:
            log.write(key, sorted({*unsound, *without}))
        if not failed or set(failed) - without:
            return [test for test in failed if test not in without]


def failing(tree: Path, files: list[str], mutation: Mutation, unsound: list[str]) -> list[str]:
    """The first tests that fail with the mutation, or what else went wrong."""
    file = tree / mutation.file
    whole = file.read_bytes()
    file.write_bytes(whole[: mutation.start] + mutation.text.encode() + whole[mutation.end :])
    try:
        code, failed = run(tree, files, unsound, "-x")
    finally:
        file.write_bytes(whole)
    if code not in (0, 1, 2):
        raise SystemExit(f"pytest ended with {code} for {mutation}")
    return failed or (["could not be collected"] if code else [])


class Log:
    """Results by key, a line of JSON each, that outlive an interruption."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def results(self) -> dict[str, list[str]]:
        """What is written, also what a second process wrote meanwhile."""
        lines = self.file.read_text(encoding="utf-8").splitlines() if self.file.is_file() else []
        return {line["key"]: line["result"] for line in map(json.loads, lines)}

    def once(self, key: str, work: Callable[..., list[str]], *how: object) -> list[str]:
        """What is written under the key; `work(*how)` first where nothing is."""
        if key not in (known := self.results()):
            known[key] = work(*how)
            self.write(key, known[key])
        return known[key]

    def write(self, key: str, result: list[str]) -> None:
        """Add a line; of a key that is there already the last one counts."""
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "result": result}) + "\n")


def commit(revision: str) -> str:
    """The commit that a revision is: results are of one, and not of what a branch becomes."""
    return subprocess.run(
        ["git", "rev-parse", "--short=12", f"{revision}^{{commit}}"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def paired(old: Path, new: Path, count: int, seed: int) -> list[tuple[Mutation, Mutation]]:
    """Mutations of the old tree, each with itself in the new one; who has no place is told."""
    candidates = [one for file in package_files(new) for one in mutations_of(new, file)]
    pairs: list[tuple[Mutation, Mutation]] = []
    for one in drawn(old, 4 * count, seed):
        other = repeated(one, candidates)
        print("no place" if other is None else f"also {other.file}:{other.line}", end=": ")
        print(
            f"{one.file}:{one.line} {one.kind} → {one.text} in {one.statement[:60]!r}", flush=True
        )
        if other is not None:
            pairs.append((one, other))
        if len(pairs) == count:
            break
    return pairs


def main() -> None:
    """Draw, run, and print who survives."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("old", help="the revision that mutations are drawn from")
    parser.add_argument("new", nargs="?", default="HEAD", help="the revision they are repeated in")
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, default=Path("mutations.jsonl"))
    parser.add_argument("--backwards", action="store_true", help="the last first, beside another")
    parser.add_argument("--draw", action="store_true", help="only say which would run")
    asked = parser.parse_args()
    log = Log(asked.log)
    alive: dict[str, list[str]] = {"before": [], "after": []}
    with tempfile.TemporaryDirectory() as place:
        old = unpacked(asked.old, Path(place) / "before")
        new = unpacked(asked.new, Path(place) / "after")
        pairs = paired(old, new, asked.count, asked.seed)
        for pair in () if asked.draw else pairs[::-1] if asked.backwards else pairs:
            for name, tree, revision, mutation in zip(
                alive, (old, new), (asked.old, asked.new), pair, strict=True
            ):
                files = test_files(tree, new, pair[1].file)
                told = json.dumps(asdict(mutation))
                key = f"{name} {commit(revision)} {told}"
                unsound = f"unsound {name} {commit(revision)}"
                noticed = log.once(key, noticing, tree, files, mutation, log, unsound)
                if not noticed:
                    alive[name].append(f"{mutation.file}:{mutation.line} {mutation.text}")
                found = noticed[0] if noticed else "SURVIVES"
                print(f"{name}: {mutation.file}:{mutation.line}: {found}", flush=True)
    for name, survivors in alive.items() if not asked.draw else ():
        print(f"{name}: {len(survivors)} of {len(pairs)} survive", *survivors, sep="\n  ")


if __name__ == "__main__":
    main()
