"""What waits: room for images, and the queue of a model."""

import asyncio
import gc
import threading
import tracemalloc
import weakref

import numpy as np
import pytest
from starlette.requests import Request

from cvtasks.errors import ModelError
from cvtasks.model import load
from cvtasks.serving.bodies import Bodies
from cvtasks.serving.explaining import Explaining
from cvtasks.serving.limits import Limits
from cvtasks.serving.room import Room
from cvtasks.serving.worker import How, Worker


def image(value: int = 0) -> np.ndarray:
    """A grey image."""
    return np.full((40, 50, 3), value, np.uint8)


@pytest.fixture
def worker(trained):
    made = Worker(load(trained, many=True))
    yield made
    made.close()
    made.join(20)


def test_each_image_gets_its_own_answer_however_it_is_asked_about(worker, trained):
    model, hows = load(trained), [How(), How(0.9), How(), How(None, "32x32"), How(0.9)]
    asked = [(value, how, worker.ask(image(value), how)) for value in (0, 90, 180) for how in hows]
    for value, how, answer in asked:
        expected = model.predict(image(value), how.threshold, tiles=how.tiles)
        assert np.array_equal(answer.result(20).ids, expected.ids)
    assert worker.done == len(asked)


def test_one_image_that_fails_lets_none_of_the_others_fail(worker, monkeypatch):
    engine = worker.model.engine
    stream, begun = engine.stream, threading.Event()

    def fragile(images):
        begun.wait(20)
        for one in images:
            if (one == 99).any():
                raise ModelError("this one fails")
            yield from stream([one])

    monkeypatch.setattr(engine, "stream", fragile)
    asked = [worker.ask(image(value), How()) for value in (1, 99, 2, 99, 3)]
    begun.set()
    failed = [one.exception(20) is not None for one in asked]
    assert failed == [False, True, False, True, False]


def test_an_error_before_the_first_image_reaches_who_asked(worker):
    with pytest.raises(Exception, match="tiles are"):
        worker.ask(image(), How(None, "nonsense")).result(20)
    assert worker.ask(image(), How()).result(20).size == (40, 50)


def test_who_gives_up_is_passed_over(worker, monkeypatch):
    engine, gate = worker.model.engine, threading.Event()
    stream = engine.stream

    def slow(images):
        gate.wait(20)
        yield from stream(images)

    monkeypatch.setattr(engine, "stream", slow)
    first, second, third = (worker.ask(image(), How()) for _ in range(3))
    assert second.cancel()
    gate.set()
    assert first.result(20).size == third.result(20).size
    assert worker.done == 2


def test_a_closed_worker_answers_what_waits_and_expects_nothing(trained):
    worker = Worker(load(trained, many=True))
    assert worker.expect()
    worker.close()
    assert not worker.expect()
    answer = worker.ask(image(), How())
    worker.arrived()
    assert answer.result(20).size == (40, 50)
    worker.join(20)


def test_who_stops_waiting_for_an_explanation_leaves_no_image_behind():
    async def run() -> None:
        explaining, gate = Explaining(True), threading.Event()
        explaining._pool.submit(gate.wait, 20)
        waits = image()
        known = weakref.ref(waits)
        asked = asyncio.create_task(explaining.explain(None, waits, (40, 50), "", "", None))
        await asyncio.sleep(0.01)
        asked.cancel()
        await asyncio.wait([asked])
        del waits, asked
        left = known()
        gate.set()
        explaining.close()
        assert left is None

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["image/png", "multipart/form-data; boundary=x"])
def test_a_body_is_held_once_while_it_is_answered(kind):
    form = b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n'
    head, tail = (form, b"\r\n--x--\r\n") if "form" in kind else (b"", b"")
    coming = [tail, *[None] * 50, head]  # from its end on

    async def receive() -> dict[str, object]:
        some = coming.pop()
        content = bytes(80_000) if some is None else some
        return {"type": "http.request", "body": content, "more_body": bool(coming)}

    async def run() -> tuple[int, int]:
        request = Request({"type": "http", "headers": [(b"content-type", kind.encode())]}, receive)
        tracemalloc.start()
        try:
            async with Bodies(Limits(), False).uploads(request) as uploads:
                gc.collect()
                return len(uploads[0].content), tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    size, held = asyncio.run(run())
    assert size == 4_000_000
    assert held < 1.5 * size


def test_room_is_given_in_order_and_to_what_is_larger_than_all_of_it():
    async def run() -> list[str]:
        room, said = Room(10), []

        async def use(name: str, count: int) -> None:
            async with room.taken(count):
                said.append(name)
                await asyncio.sleep(0.01)

        async with asyncio.TaskGroup() as group:
            for name, count in (("a", 6), ("b", 99), ("c", 1), ("d", 9)):
                group.create_task(use(name, count))
        assert room.left == 10
        return said

    assert asyncio.run(run()) == ["a", "b", "c", "d"]


def test_who_stops_waiting_for_room_leaves_it_to_the_next():
    async def run() -> None:
        room = Room(10)
        async with room.taken(10):
            waiting = [asyncio.create_task(hold(room, 5)) for _ in range(2)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            await asyncio.sleep(0)
        await waiting[1]
        assert waiting[0].cancelled()
        assert room.left == 10
        assert not room.take_now(11)

    async def hold(room: Room, count: int) -> None:
        async with room.taken(count):
            pass

    asyncio.run(run())
