"""The hour of data work that is handed out with its recording."""

import json

import pytest

from tests.notebooks.offline import executed, outputs_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("analysis")


@pytest.fixture(scope="module")
def outputs(folder):
    return outputs_of(executed("analysis", folder))


def html(outputs, cell):
    return "".join(output["data"].get("text/html", "") for output in outputs[cell])


def test_offline_runs_give_the_same_outputs_to_the_byte_and_use_no_network(outputs, folder):
    again = outputs_of(executed("analysis", folder))
    assert json.dumps(again) == json.dumps(outputs)
    assert not (folder / "network-was-used").exists()


def test_calls_show_their_recorded_code_output_and_figure(outputs):
    assert "repeated rows: 2" in html(outputs, "problems")
    assert "as large by chance: 0 of 2000" in html(outputs, "test")
    assert [output for output in outputs["plot"] if "image/png" in output["data"]]


def test_cells_of_the_notebook_make_what_later_cells_need(outputs):
    assert outputs["clean"][0]["text"] == "116 of 122 rows are left\n"
    assert outputs["fit-own"][0]["text"] == "one degree +3.9, rain -47.6, weekend +44.5\n"
    assert "image/png" in outputs["figure"][0]["data"]


def test_what_the_model_says_is_what_the_data_say(outputs):
    means = outputs["group-own"][0]["data"]["text/plain"]
    for mean in ("141.3", "92.0", "176.5", "149.4"):
        assert mean in means
        assert mean in html(outputs, "group")
    assert outputs["check"][0]["text"].count("is in the report") == 4
