"""A grid as logs of Inspect, whose own library reads them."""

import json

import pytest

from sessionmagic import Models, SessionManager, StoreError, UsageError
from sessionmagic.testing import script


def prompt_of(messages):
    return messages[-1].parts[-1].content


@pytest.fixture
def results(manager):
    """Two models, or rather one at two temperatures, that fail on one of three prompts."""
    script("a", lambda messages: {"three": RuntimeError("it broke")}.get(prompt_of(messages), "It is fine."))
    manager = SessionManager(manager.store, Models(prices={"a": [1, 1]}))
    return manager.grid_sync(
        ["one", "two", "three"],
        "a",
        repeat=2,
        vary={"temperature": [0, 0.5]},
        settings={"stop": ["END"], "effort": "low", "service_tier": "flex"},
        score=lambda answer, row: {"length": len(answer), "first": row.number == 0},
    )


def test_there_is_one_log_for_each_model_with_its_settings_answers_errors_and_scores(results, tmp_path):
    paths = results.to_inspect(tmp_path / "logs")
    logs = [json.loads(path.read_text()) for path in paths]
    assert [log["version"] for log in logs] == [2, 2]
    assert [log["eval"]["model_generate_config"] for log in logs] == [
        {"stop_seqs": ["END"], "reasoning_effort": "low", "temperature": temperature} for temperature in (0, 0.5)
    ]
    samples = logs[0]["samples"]
    assert [(sample["id"], sample["epoch"]) for sample in samples] == [(n, r) for n in range(3) for r in (1, 2)]
    assert samples[0]["output"]["choices"][0]["message"]["content"] == "It is fine."
    assert samples[0]["scores"]["first"]["value"] is True
    assert samples[4]["error"]["message"] == "a: RuntimeError: it broke"
    assert logs[0]["results"]["scores"][1]["metrics"]["mean"]["value"] == 0.5
    assert logs[0]["stats"]["model_usage"]["a"]["total_cost"] == pytest.approx(
        sum(row.cost for row in results if row.cost and row.label == results.labels[0])
    )


def test_a_file_has_one_model_only(results, manager, tmp_path):
    with pytest.raises(UsageError, match="has one model, and the grid has 2; name a directory"):
        results.to_inspect(tmp_path / "log.json")
    assert manager.grid_sync(["one"], "a").to_inspect(tmp_path / "log.json") == [tmp_path / "log.json"]
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="choose another path"):
        results.to_inspect(tmp_path / "file" / "logs")


@pytest.mark.once
def test_inspect_reads_the_logs(results, tmp_path):
    import inspect_ai.log as log_module

    paths = results.to_inspect(tmp_path)
    assert len(log_module.list_eval_logs(str(tmp_path))) == 2
    log = log_module.read_eval_log(str(paths[1]))
    assert (log.version, log.status, log.eval.model, log.eval.task) == (2, "success", "a", "grid")
    assert log.eval.model_generate_config.temperature == 0.5
    assert [sample.output.completion for sample in log.samples] == ["It is fine."] * 4 + [""] * 2
    assert log.samples[0].scores["length"].value == len("It is fine.")
    assert log.samples[5].error.message == "a: RuntimeError: it broke"


def test_a_frame_has_a_column_for_each_field_and_each_score(results):
    frame = results.to_frame()
    assert len(frame) == 12
    assert frame["length"].dropna().unique().tolist() == [len("It is fine.")]
    assert frame["answer"].isna().sum() == 4
    assert frame["label"].unique().tolist() == results.labels
    assert "effort=low" in frame["settings"][0]
    assert str(frame["input_tokens"].dtype) == "Int64"


def test_a_path_may_begin_with_the_home(results, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert {path.parent for path in results.to_inspect("~/logs")} == {tmp_path / "logs"}
