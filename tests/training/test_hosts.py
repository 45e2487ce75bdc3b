"""Several hosts that learn as one: how they meet, what they agree on, what they learn, and how they
end. A host is a process; here all are on one machine.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import cvtasks
from cvtasks.data.opening import open_sources
from cvtasks.errors import CVTasksError, ModelError, NotFinite, UsageError
from cvtasks.training import line, meeting
from cvtasks.training.checkpoint import check_same, read_progress
from cvtasks.training.devices import check_back_end
from cvtasks.training.hosts import AHEAD, ALONE, HostEnded, Hosts, Wish
from cvtasks.training.layout import CHECKPOINT
from cvtasks.training.loop import batches_of
from cvtasks.training.meeting import Place, joined, place_of
from cvtasks.training.stopping import Stopped
from cvtasks.weights.safetensors_file import read_safetensors
from tests.training.test_devices import small


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        return int(door.getsockname()[1])


def together(number: int, act: Callable[[Hosts], object], **how: object) -> list[object]:
    """What each of so many hosts, threads of this process, made of it, or the error that ended
    it; and the ends of others that each heard of.
    """
    port, versions = free_port(), how.get("versions", ["1"] * number)
    heard: list[list[HostEnded]] = [[] for _ in range(number)]

    def host(at: int) -> object:
        place = Place(number, at, "127.0.0.1", port)
        try:
            with joined(place, versions[at], heard[at].append) as hosts:  # type: ignore[index]
                return act(hosts)
        except CVTasksError as error:
            return error

    with ThreadPoolExecutor(number) as threads:
        found = list(threads.map(host, range(number)))
    return [*found, heard]


@pytest.fixture(autouse=True)
def _hurried(monkeypatch) -> None:
    monkeypatch.setattr("cvtasks.training.hosts._PARTING_S", 1.0)


# === what they agree on ===


def test_the_first_host_makes_what_all_get() -> None:
    def act(hosts: Hosts) -> object:
        return hosts.shared(lambda: {"by": hosts.index, "nothing": float("-inf")})

    *found, heard = together(3, act)
    assert found == [{"by": 0, "nothing": float("-inf")}] * 3
    assert heard == [[], [], []]
    assert ALONE.shared(lambda: 7) == 7


@pytest.mark.parametrize("kind", [NotFinite, Stopped, UsageError])
def test_an_error_of_the_first_host_is_one_of_all(kind: type[CVTasksError]) -> None:
    def act(hosts: Hosts) -> object:
        def fail() -> None:
            raise kind("it went wrong.", ways={"resume": "runs/a"})

        with pytest.raises(kind, match="it went wrong") as caught:
            hosts.shared(fail)
        assert hosts.same(caught.value) and caught.value.ways == {"resume": "runs/a"}
        return hosts.shared(lambda: "and on")

    assert together(2, act) == ["and on", "and on", [[], []]]


def test_wishes_are_fulfilled_at_the_same_step_whoever_has_them() -> None:
    """Those of the first host after two steps; another host's is to stop, and soon heard."""

    def act(hosts: Hosts) -> list[Wish]:
        stop = threading.Event()
        with hosts.hearing(stop):
            done = []
            for step in range(400):
                if hosts.index == 1 and step == 9:
                    stop.set()
                done.append(hosts.after_step(Wish(look=step == 5, stop=stop.is_set())))
                if done[-1].stop:
                    break
                time.sleep(0.005)
            return done

    first, *others, _ = together(3, act)
    assert all(other == first for other in others)
    assert first[-1].stop and 9 < len(first) < 400
    assert [step for step, wish in enumerate(first) if wish.look] == [5 + AHEAD]
    assert ALONE.after_step(Wish(save=True)) == Wish(save=True)


def test_wishes_of_one_training_are_none_of_the_next() -> None:
    def act(hosts: Hosts) -> list[Wish]:
        done = []
        for training in range(2):
            with hosts.hearing(threading.Event()):
                done += [hosts.after_step(Wish(stop=not training)) for _ in range(3)]
        return done

    first, other, _ = together(2, act)
    assert first == other
    assert [wish.stop for wish in first] == [False, False, True, False, False, False]


def test_who_waits_for_the_first_host_can_have_it_stop() -> None:
    def act(hosts: Hosts) -> object:
        stop = threading.Event()
        with hosts.hearing(stop):
            if not hosts.leads:
                stop.set()
            return hosts.shared(lambda: stop.wait(20))

    assert together(2, act)[:2] == [True, True]


def test_hosts_that_would_not_train_the_same_are_refused() -> None:
    def act(hosts: Hosts) -> None:
        hosts.check_alike({"`train.batch`": "8" if hosts.index < 2 else "16", "seed": "0"})

    *found, _ = together(3, act)
    for error in found:
        assert isinstance(error, UsageError)
        assert "`train.batch` is 8 at host 0 and 16 at host 2" in str(error)
    assert together(2, lambda hosts: hosts.check_alike({"a": "b"}))[:2] == [None, None]


# === how they end ===


def test_who_ends_by_an_error_ends_all_with_it() -> None:
    def act(hosts: Hosts) -> object:
        if hosts.index == 1:
            raise ModelError("its disk is gone.")
        assert hosts._over.wait(20)  # type: ignore[attr-defined]
        return None

    *found, heard = together(3, act)
    assert isinstance(found[1], ModelError) and not heard[1]
    until = time.monotonic() + 20
    while not (heard[0] and heard[2]) and time.monotonic() < until:
        time.sleep(0.05)
    for at in (0, 2):
        (error,) = heard[at]
        assert "host 1 (" in str(error) and "ended: its disk is gone." in str(error)
        assert error.exit_code == ModelError.exit_code


def test_who_gives_no_sign_of_life_is_gone(monkeypatch) -> None:
    monkeypatch.setattr(line, "SILENT_S", 0.5)
    monkeypatch.setattr(line, "BEAT_S", 30.0)  # as of a host that hangs

    *_, heard = together(2, lambda hosts: time.sleep(1.5))
    assert "gave no sign of life" in str(heard[0][0])
    monkeypatch.setattr(line, "BEAT_S", 0.1)
    *_, heard = together(2, lambda hosts: time.sleep(1.5))
    assert heard == [[], []]


# === how they meet ===


def met(place: Place) -> object:
    with joined(place, "1", lambda error: None) as hosts:
        return hosts.shared(lambda: "met")


def test_what_cannot_be_understood_is_no_silence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        theirs = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
    lost, said = threading.Event(), list[str]()

    def heard(kind: str, value: object) -> None:
        raise KeyError(kind)

    with ours, theirs:
        one = line.Line(ours)
        one.listen(heard, lambda reason: (said.append(reason), lost.set()))
        theirs.sendall(b'["wish", null]\n')
        assert lost.wait(10) and "cannot be understood (KeyError: 'wish')" in said[0]
        one.close()


def test_who_does_not_come_is_named(monkeypatch) -> None:
    monkeypatch.setattr(meeting, "MEET_S", 1.0)
    place = Place(3, 0, "127.0.0.1", free_port())
    with pytest.raises(UsageError, match=r"all 3 hosts must come within 1 s; 1, 2 did not"):
        met(place)
    port = free_port()
    with pytest.raises(UsageError, match=rf"at 127.0.0.1:{port}; it cannot: .*refused") as caught:
        met(Place(3, 1, "127.0.0.1", port))
    assert caught.value.ways.keys() == {"coordinator"}


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("", 0)) as door:
        port = int(door.getsockname()[1])
        with pytest.raises(UsageError, match=f"{port} cannot be had: Address already in use"):
            met(Place(2, 0, "127.0.0.1", port))


def test_another_version_is_sent_away(monkeypatch) -> None:
    monkeypatch.setattr(meeting, "MEET_S", 2.0)
    first, other, _ = together(2, lambda hosts: None, versions=["1", "2"])
    assert "host 0 has 1 of version, and this one 2" in str(other)
    assert "1 did not" in str(first)


def test_strangers_are_let_pass() -> None:
    port = free_port()

    def stranger() -> None:
        for word in (b"GET / HTTP/1.1\r\n\r\n", b'["hello", {}]\n', b'["hello", 3]\n', b""):
            until = time.monotonic() + 10
            while time.monotonic() < until:
                try:
                    with socket.create_connection(("127.0.0.1", port), 1) as connection:
                        connection.sendall(word)
                        break
                except OSError:
                    time.sleep(0.05)

    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(met, Place(2, 0, "127.0.0.1", port))
        threads.submit(stranger).result()
        other = threads.submit(met, Place(2, 1, "127.0.0.1", port))
        assert (first.result(), other.result()) == ("met", "met")


@pytest.mark.parametrize(
    ("wish", "said", "wrong"),
    [
        (("", 1, ""), {}, "go with the number of hosts"),
        (("auto", None, ""), {"JOB_COMPLETION_INDEX": "1"}, "taken from Slurm or MPI"),
        (("2", None, "a:1"), {}, r"neither Slurm, .* Give a number from 0 to 1"),
        (("2", 2, "a:1"), {}, "2 hosts have numbers from 0 to 1; got 2"),
        (("0", 0, "a:1"), {}, "one from 1 to 4096"),
        (("two", 0, "a:1"), {}, "got 'two'"),
        (("2", 0, ""), {}, "an address and a port, as .*got ''"),
        (("2", 0, "somewhere"), {}, "got 'somewhere'"),
        (("2", 0, "a:99999"), {}, "got 'a:99999'"),
    ],
)
def test_a_place_that_cannot_be_is_answered(wish: tuple, said: dict[str, str], wrong: str) -> None:
    with pytest.raises(UsageError, match=wrong):
        place_of(*wish, said)


def test_launchers_say_which_host_it_is() -> None:
    mpi = {"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "3"}
    assert place_of("auto", None, "[::1]:12", mpi) == Place(3, 2, "::1", 12)
    assert place_of("4", None, "train-0.train:12", {"JOB_COMPLETION_INDEX": "3"}).index == 3
    assert place_of("4", 1, "a:1", mpi) == Place(4, 1, "a", 1)  # who is asked counts
    assert place_of("1", None, "", {}) == place_of("", None, "", mpi) == Place()


# === what they learn ===


def test_parts_of_batches_are_the_whole(shapes: Path) -> None:
    recipe = small(shapes)
    source = open_sources(recipe).train
    whole, *parts = (
        list(batches_of(recipe, source, part).epoch(1)) for part in ((0, 1), (0, 2), (1, 2))
    )
    assert len(whole) == len(parts[0]) == len(parts[1]) == 3
    for one, *shares in zip(whole, *parts, strict=True):
        assert one.names == sum((share.names for share in shares), ())
        np.testing.assert_array_equal(one.images, np.concatenate([own.images for own in shares]))


def test_another_checkpoint_than_the_first_host_s_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("cvtasks.training.checkpoint._SHOWN_S", 0.0)
    with pytest.raises(ModelError, match=r"is another here than at host 0.*all of them share"):
        check_same(tmp_path / CHECKPOINT, {"epoch": 3})


def test_another_back_end_than_jax_is_refused() -> None:
    with pytest.raises(ModelError, match="under JAX alone; got 4 and the back end tensorflow"):
        check_back_end(4)


LEARN = """
import os, signal, sys, traceback
from dataclasses import replace
from pathlib import Path
at, number, port, recipe, place, way = sys.argv[1:]
from cvtasks.training.meeting import Place, joined

def ended(error):
    print(error, flush=True)
    os._exit(error.exit_code)

def failed(*error):
    traceback.print_exception(*error)
    os._exit(3)  # JAX would wait for the others, for minutes

sys.excepthook = failed
with joined(Place(int(number), int(at), "127.0.0.1", int(port)), "1", ended) as hosts:
    from cvtasks.training.devices import devices_joined
    with devices_joined(hosts):
        import numpy as np
        from cvtasks.data.opening import open_sources
        from cvtasks.recipe.recipe import read_recipe
        from cvtasks.training.learner import Learner
        from cvtasks.training.loop import train
        from cvtasks.training.progress import Report
        from cvtasks.training.stopping import Stopped

        recipe = read_recipe(recipe)
        sources = open_sources(recipe)

        def learned(folder, on_step=lambda *told: None, **how):
            (Path(place) / folder).mkdir(exist_ok=True)
            own = replace(recipe, train=replace(recipe.train, **how))
            given = sources.train, sources.validate, Path(place) / folder
            return train(own, *given, Report(on_step=on_step), hosts=hosts)

        def act(epoch, step, *told):
            if (epoch, step) == (0, 2) and hosts.index == int(number) - 1:
                os.kill(os.getpid(), signal.SIGTERM if way == "stop" else signal.SIGKILL)

        if way == "kill":
            learned("killed", act)
        if way == "whole":
            learned("whole")
        if way == "stop":
            try:
                learned("stopped", act)
            except Stopped as stopped:
                print("stopped", stopped, flush=True)
            learned("stopped")
            real, steps = Learner.step, []
            def step(self, *given):
                real(self, *given)
                steps.append(given)
                if len(steps) == 2:
                    self._write_back()
                    kernel = self.network.trainable_variables[0]
                    kernel.assign(np.full(kernel.shape, np.inf, "float32"))
            Learner.step = step
            print("setbacks", learned("back", max_rollbacks=1, epochs=1).setbacks, flush=True)
"""


@pytest.fixture
def hosts_learn(shapes: Path, tmp_path: Path) -> Iterator[Callable[..., list]]:
    """`hosts_learn(number, way)`: so many processes, begun."""
    how = {"ema": 0.9, "clip": 1.0, "accumulate": 2, "optimizer": "sgd"}
    small(shapes, epochs=2, batch=4, **how).save(tmp_path / "recipe.toml")
    begun: list[subprocess.Popen] = []

    def learn(number: int, way: str) -> list[subprocess.Popen]:
        home, port = str(Path(cvtasks.__file__).parents[1]), free_port()
        path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
        env = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": path}
        for at in range(number):
            given = (at, number, port, tmp_path / "recipe.toml", tmp_path, way)
            begun.append(
                subprocess.Popen(
                    [sys.executable, "-c", LEARN, *map(str, given)],
                    env={**os.environ, **env},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
        return begun[-number:]

    yield learn
    for process in begun:
        process.kill()
        process.communicate()


def test_two_hosts_learn_what_one_does_and_go_on_from_a_stop(hosts_learn, tmp_path: Path) -> None:
    """Weights, moments, averages and losses of 12 steps, with clipping, accumulation, dropout and
    an average, where the second host is asked to stop in their midst, and all go on. Where a weight
    becomes infinite, all go back.
    """
    processes = [*hosts_learn(2, "stop"), *hosts_learn(1, "whole")]
    said = [process.communicate(timeout=600)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], "\n".join(said)
    for own in said[:2]:
        assert "stopped after epoch 1, step" in own
        assert "setbacks 1" in own
    expected = read_safetensors(tmp_path / "whole" / CHECKPOINT)
    assert any("average" in key for key in expected)
    rows = read_progress(tmp_path / "whole" / CHECKPOINT)["history"]
    found = read_safetensors(tmp_path / "stopped" / CHECKPOINT)
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        np.testing.assert_allclose(found[key].read(), values.read(), 1e-6, 1e-6, err_msg=key)
    history = read_progress(tmp_path / "stopped" / CHECKPOINT)["history"]
    for row, own in zip(rows, history, strict=True):
        assert own["loss"] == pytest.approx(row["loss"], abs=1e-6)
        assert own["scores"] == pytest.approx(row["scores"], abs=1e-6)


def test_a_host_that_is_killed_ends_the_others(hosts_learn) -> None:
    processes = hosts_learn(2, "kill")
    processes[1].wait(timeout=600)
    begun = time.monotonic()
    said = processes[0].communicate(timeout=600)[0]
    assert time.monotonic() - begun < 30
    assert processes[1].returncode == -signal.SIGKILL
    assert processes[0].returncode == 1
    assert "all hosts of a run end together; host 1 (" in said
    assert "is gone: it ended without a word" in said


def test_what_the_command_says_of_hosts(cli, shapes: Path, tmp_path: Path) -> None:
    small(shapes).save(tmp_path / "recipe.toml")
    how = ("train", tmp_path / "recipe.toml", "--hosts", "2")
    code, _, err = cli(*how, "--host", "1")
    assert code == 2
    assert "Option: --coordinator ADDRESS:PORT" in err
    code, _, err = cli("train", tmp_path / "recipe.toml", "--host", "1")
    assert "Option: --hosts N" in err
    for words in (("--dry-run",), ("--folds", "3"), ("--batch", "auto")):
        code, _, err = cli(*how, "--host", "0", "--coordinator", "a:1", *words)
        assert code == 2
        assert f"--hosts is for one training, and takes no {' '.join(words[:1])}" in err
