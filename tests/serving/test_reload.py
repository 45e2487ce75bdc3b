"""Models that change while they are served."""

import shutil
import time

import httpx
import numpy as np

from cvtasks.serving import shelf
from cvtasks.serving.worker import How
from tests.serving.conftest import png, service_of


def test_a_changed_model_takes_the_place_of_the_old_one_and_a_broken_one_does_not(
    trained, tmp_path
):
    folder = tmp_path / "mine"
    shutil.copytree(trained, folder)
    recipe = (folder / "recipe.toml").read_text(encoding="utf-8")
    with service_of(folder) as service:
        served = service.shelf.get("mine")
        first = served.worker
        service.shelf.look()
        assert served.worker is first, "nothing has changed"

        (folder / "recipe.toml").write_text("format = 1\n", encoding="utf-8")
        service.shelf.look()
        assert served.worker is first
        assert "cannot be used" in served.error
        assert "not served" in service.said[-1]

        (folder / "recipe.toml").write_text(f"# changed\n{recipe}", encoding="utf-8")
        service.shelf.look()
        assert served.worker is not first
        assert (served.error, served.reloads) == ("", 1)
        assert not first.expect(), "who asks the old one is sent to the new one"
        worker = served.enter()
        image = np.zeros((20, 30, 3), np.uint8)
        answer = worker.ask(image, How())
        worker.arrived()
        assert answer.result(20).size == (20, 30)


def test_a_model_that_changes_while_it_is_loaded_is_loaded_again(trained, tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    shutil.copytree(trained, folder)
    recipe = (folder / "recipe.toml").read_text(encoding="utf-8")
    load = shelf.load
    remarks: list[str] = []  # each is written as soon as the model has been read

    def load_and_change(*given, **how):
        model = load(*given, **how)
        if remarks:
            (folder / "recipe.toml").write_text(f"# {remarks.pop()}\n{recipe}", encoding="utf-8")
        return model

    monkeypatch.setattr(shelf, "load", load_and_change)
    remarks[:] = ["after the first loading"]
    with service_of(folder) as service:
        served = service.shelf.get("mine")
        remarks[:] = ["once more"]
        for reloads in (1, 2, 2):
            service.shelf.look()
            assert (served.error, served.reloads) == ("", reloads)


def test_requests_go_on_while_a_model_is_exchanged(running, trained, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(trained, folder)
    server = running(folder=folder)
    until, statuses = time.monotonic() + 1.5, []
    with httpx.Client(base_url=server.address, trust_env=False) as client:
        server.reload()
        while time.monotonic() < until:
            response = client.post(
                "/predict", content=png(8, 8), headers={"content-type": "image/png"}
            )
            statuses.append(response.status_code)
    assert set(statuses) == {200}
    assert server.service.shelf.get("").reloads == 1
