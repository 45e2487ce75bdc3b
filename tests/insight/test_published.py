"""What papers say of their networks, beside what we count."""

import csv
import io
import json

import pytest

from cvtasks.insight.inspecting.published import PUBLISHED, Costed, csv_of, lines_of, plot, records
from cvtasks.networks.backbones import BACKBONES

# (parameters, multiply-adds), million, as the papers round them
SAID = {
    "alexnet": (60, None),  # section 1
    "mobilenet-v2": (3.4, 300),  # table 4
}


def row(name: str = "mobilenet") -> Costed:
    return Costed(name, 4_253_864, 568_740_352, 224)


def test_every_row_is_a_network_with_its_own_classifier_and_an_error_that_can_be():
    for name, paper in PUBLISHED.items():
        assert BACKBONES[name].top
        errors = [error for error in (paper.top5, paper.top1) if error is not None]
        assert errors == sorted(errors) and all(2 < error < 45 for error in errors)
        assert str(paper.year)[:2] == "20" and "table" in paper.source


def test_counts_are_those_of_the_papers(cli, monkeypatch):
    monkeypatch.setattr(
        "cvtasks.insight.inspecting.published.costed.__defaults__", (tuple(SAID), lambda name: None)
    )
    code, out, said = cli("inspect", "networks", "--json")
    assert code == 0, said
    found = {one["network"]: one for one in json.loads(out)["networks"]}
    for name, (parameters, work) in SAID.items():
        assert found[name]["parameters"] / 1e6 == pytest.approx(parameters, rel=0.05)
        if work:
            assert found[name]["multiply_adds"] / 1e6 == pytest.approx(work, rel=0.02)


def test_table_csv_and_plot_have_what_a_paper_has_and_leave_out_what_it_has_not():
    rows = [row("googlenet"), row("alexnet")]
    lines = lines_of(rows)
    assert "AlexNet" in lines[1] and "–" in lines[2] and "18.2 %" in lines[1]
    read = list(csv.DictReader(io.StringIO("\n".join(csv_of(rows)))))
    assert [one["top1"] for one in read] == ["", "40.7"]
    assert records(rows)[0]["source"] == PUBLISHED["googlenet"].source
    assert plot(rows).shape == (800, 1300, 3)


def test_options_of_one_network_do_not_fit(cli):
    code, _, said = cli("inspect", "networks", "--layer", "conv1")
    assert code == 2 and "--layer" in said
