"""Models in other processes: forked, spawned, copied. Nothing waits for ever: the answer is the
same, or says why there is none.

Each script runs in a Python of its own, with an alarm: what hangs is a failure within seconds.
"""

import copy
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cvtasks
from cvtasks.engines.table import ENGINES
from cvtasks.errors import ModelError, UsageError
from cvtasks.zoo import zoo_folder

pytestmark = pytest.mark.skipif(
    not hasattr(__import__("os"), "fork"), reason="processes cannot be forked here"
)

START = """
import os, signal, sys, threading, time
import numpy as np
import cvtasks
signal.alarm(500)  # what hangs ends here, also on a machine that has much else to do
image = np.random.default_rng(0).integers(0, 256, (28, 28, 3), dtype=np.uint8)
def answer(model):
    return model.predict(image).names
def load(many=False):
    return cvtasks.load(sys.argv[1], engine=sys.argv[2], precision="f32", many=many)
def forked(work, leave=os._exit):
    '''The exit code of a child that does this work and ends as multiprocessing's children do, or,
    by sys.exit, as a program.'''
    sys.stdout.flush()
    child = os.fork()
    if not child:
        signal.alarm(200)
        try:
            work()
        except cvtasks.CVTasksError as error:
            print(type(error).__name__, error, flush=True)
            leave(9)
        leave(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""

FORKED = """
assert forked(lambda: answer(load())) == 0, "a child of a process that has used no model works"
for many in (False, True):
    model = load(many)
    for _ in range(2):  # before the parent has predicted, and after
        assert forked(lambda: answer(model)) == 9
        assert forked(lambda: model.predict([image, image])) == 9
        assert forked(lambda: answer(load())) == 9
        time.sleep(0.2)  # what computed in the parent is at rest
        assert forked(lambda: None, sys.exit) == 0, "a child that does nothing ends too"
        assert forked(lambda: os._exit(forked(lambda: answer(model)))) == 9, "a grandchild"
        expected = answer(model)
    begun = model.predict_many([image] * 9)
    next(begun)
    assert forked(lambda: next(begun)) == 9  # the parent is computing just now
    assert answer(model) == expected, "the parent goes on"
    assert len(list(begun)) == 8
    del begun, model
    time.sleep(0.2)
    assert forked(lambda: None, sys.exit) == 0
    assert forked(lambda: answer(load())) == 9, "nor if the parent has given it back"
print("done")
"""

POOLS = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from operator import methodcaller
predict = methodcaller("predict", image)
def first():
    return answer(load())
fork = multiprocessing.get_context("fork")
with ProcessPoolExecutor(1, mp_context=fork) as pool:
    expected = pool.submit(first).result()
model = load()
assert answer(model) == expected
with multiprocessing.get_context("spawn").Pool(1) as pool:
    assert [one.names for one in pool.map(predict, [model] * 2)] == [expected] * 2
for pool in (fork.Pool(1), ProcessPoolExecutor(1, mp_context=fork)):
    with pool:
        try:
            list(pool.map(predict, [model]))
        except cvtasks.CVTasksError as error:
            print(type(error).__name__, error)
        else:
            sys.exit("a forked worker must say that it cannot")
print("done")
"""

BUSY = """
model, stop = load(), threading.Event()
expected = answer(model)
def spin():
    while not stop.is_set():
        answer(model)
thread = threading.Thread(target=spin)
thread.start()
try:
    for _ in range(5):
        assert forked(lambda: answer(model)) == 9
finally:
    stop.set()
    thread.join()
assert answer(model) == expected
print("done")
"""


RUNTIMES = {"openvino": "OpenVINO", "onnxruntime": "ONNX Runtime"}


@pytest.mark.parametrize("engine", RUNTIMES)
@pytest.mark.parametrize("script", [FORKED, POOLS, BUSY], ids=["forked", "pools", "busy"])
def test_no_process_waits_for_the_threads_of_another(script, engine, run_python, tmp_path_factory):
    if not ENGINES[engine].available():
        pytest.skip(f"{engine} is not installed")
    zoo = zoo_folder()
    cache = {"CVTASKS_CACHE": str(tmp_path_factory.getbasetemp() / "cache-of-graphs")}
    arguments = ("./classify-lenet-mnist", engine)
    done = run_python("-X", "faulthandler", "-c", START + script, *arguments, cwd=zoo, env=cache)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["done"]), (
        done.stdout + done.stderr
    )
    for line in done.stdout.splitlines()[:-1]:
        assert line.startswith(
            f"UsageError {RUNTIMES[engine]} cannot run in a forked child of a process that has "
            "used it"
        )


# === pickles and copies ===


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(zoo_folder() / "classify-lenet-mnist", tmp_path / "lenet")
    return tmp_path / "lenet"


@pytest.mark.parametrize("named", [True, False])
def test_a_pickle_is_the_folder_and_the_options_and_loads_again(
    named, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(folder.parent)
    model = cvtasks.load("classify-lenet-mnist" if named else "./lenet", precision="f32", many=True)
    content = pickle.dumps(model)
    assert len(content) < 1000
    assert b"models" not in content, "the zoo of another machine lies elsewhere"
    assert (folder.parent.name.encode() in content) == (not named), (
        "a relative path would be another one elsewhere"
    )
    monkeypatch.chdir("/")
    again = pickle.loads(content)
    digit = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    assert (again.predict(digit).scores == model.predict(digit).scores).all()
    assert (again.name, again.engine.precision) == (model.name, "f32")
    assert again.recipe == model.recipe
    assert pickle.dumps(again) == content


def test_a_pickle_of_a_model_that_was_exchanged_is_refused(folder: Path):
    content = pickle.dumps(cvtasks.load(folder))
    shutil.rmtree(folder)
    with pytest.raises(ModelError, match="neither"):
        pickle.loads(content)
    shutil.copytree(zoo_folder() / "classify-efficientnet-lite0-voc", folder)
    with pytest.raises(ModelError, match="its weights are others"):
        pickle.loads(content)


def test_copies_are_the_model_itself_and_what_was_not_loaded_is_not_pickled(folder: Path):
    model = cvtasks.load(folder)
    assert copy.copy(model) is copy.deepcopy(model) is model
    assert copy.deepcopy({"a": [model]})["a"][0] is model
    assert copy.deepcopy(model.recipe) == pickle.loads(pickle.dumps(model.recipe)) == model.recipe
    other = replace(model, recipe=model.recipe.with_task(replace(model.recipe.task, threshold=0.9)))
    with pytest.raises(UsageError, match="was not"):
        pickle.dumps(other)
    with pytest.raises(UsageError, match="was not"):
        pickle.dumps(replace(model, _origin=None))
