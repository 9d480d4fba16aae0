"""Files of an older schema: read whole, and written in today's schema with the next change."""

import json
from dataclasses import replace

import pytest

from sessionmagic import TinyStore
from sessionmagic.conversation.session import SCHEMA
from sessionmagic.exceptions import SessionUnreadableError
from sessionmagic.storage.migrations import MIGRATIONS, migrated
from tests.turns import ask, manager_on, on_a_loop

KEY = "20261120-090000-0a1b2c3d"
SCHEMA_2 = """
{"session":{"1":{"id":"20261120-090000-0a1b2c3d","name":"churn","created_at":1795165200.5,"updated_at":1795165300.25,
"title":"Which feature?","starred":true,"working_dir":"/home/me","current_agent":"assistant","agents_source":"",
"agent_model_overrides":{"assistant":"calm"},"custom_models_used":["openai:gpt-5.2","lab:x"],
"permissions":{"allow":["load_*:month=2026-*"],"deny":["run_*"]},"safety":"strict","head":"2","turns_started":3,
"schema":2}},
"turns":{"1":{"id":"1","parent":null,"previous_head":null,"agent":"assistant","model":"openai:gpt-5.2",
"prompt":"Which feature?","started_at":1795165200.5,
"messages":[{"parts":[{"content":"Which feature?","timestamp":"2026-11-20T09:00:00Z","part_kind":"user-prompt"}],
"kind":"request"},{"parts":[{"content":"The contract.","part_kind":"text"}],"kind":"response"}],
"requests":[{"agent":"assistant","model":"openai:gpt-5.2","usage":{"input_tokens":12,"cached_tokens":4,
"output_tokens":3,"reasoning_tokens":1,"cost":0.0001},"seconds":1.5,"first_token_seconds":0.25,
"finish_reason":"stop"}],"status":"completed","error_code":null,"error":null,"warnings":["cut short"],
"finished_at":1795165202.0,"cell_id":"c1","waiting":[]},
"2":{"id":"2","parent":"1","previous_head":"1","agent":"assistant","model":"calm","prompt":"Why?",
"started_at":1795165299.0,"messages":[{"parts":[{"content":"Why?","timestamp":"2026-11-20T09:01:39Z",
"part_kind":"user-prompt"}],"kind":"request"},{"parts":[{"content":"Because.","part_kind":"text"}],"kind":"response"}],
"requests":[],"status":"interrupted","error_code":"cancelled","error":null,"warnings":[],"finished_at":1795165300.25,
"cell_id":null,"waiting":["and?"]}}}
"""
"""A session's file as the schema 2 was written."""


SCHEMA_3 = json.dumps(
    {
        "session": {
            "1": {**json.loads(SCHEMA_2)["session"]["1"], "settings": {"seed": 7}, "system": "Be kind.", "schema": 3}
        }
    }
).replace('"head": "2"', '"head": null')
"""A session's file as the schema 3 was written, without turns."""


@pytest.fixture
def path(home):
    path = home / "sessions" / f"{KEY}.json"
    path.parent.mkdir(parents=True)
    path.write_text(SCHEMA_2)
    return path


def without(names, values):
    return {name: value for name, value in values.items() if name not in names}


def test_every_schema_since_the_first_release_has_a_migration():
    assert list(MIGRATIONS) == list(range(2, SCHEMA))


def test_file_of_schema_2_is_read_as_one_without_settings(home, path):
    session = TinyStore(home).load(KEY)
    assert (session.name, session.head, session.starred) == ("churn", "2", True)
    assert session.custom_models_used == ["openai:gpt-5.2", "lab:x"]
    assert session.agent_model_overrides == {"assistant": "calm"}
    assert [turn.prompt for turn in session.path()] == ["Which feature?", "Why?"]
    assert session.turn("1").usage.cost == 0.0001
    assert (session.settings, session.system) == ({}, "")
    assert [(turn.settings, turn.system) for turn in session.turns] == [({}, "")] * 2
    assert path.read_text() == SCHEMA_2


def test_next_change_writes_the_whole_file_in_todays_schema(home, path):
    store, old = TinyStore(home), json.loads(SCHEMA_2)
    store.update(KEY, lambda session: replace(session, settings={"seed": 7}))
    new = json.loads(path.read_text())
    assert new["session"]["1"]["schema"] == SCHEMA
    assert new["session"]["1"]["settings"] == {"seed": 7}
    assert without({"schema"}, old["session"]["1"]).items() <= new["session"]["1"].items()
    for key, turn in old["turns"].items():
        added = {"settings", "system", "notebook", "notes", "fingerprint", "origin", "kind", "covers", "caller"} | {
            *("column", "vote", "verdicts", "value", "values")
        }
        assert without({*added, "requests"}, new["turns"][key]) == without({"requests"}, turn)
        for before, after in zip(turn["requests"], new["turns"][key]["requests"], strict=True):
            assert before["usage"].items() <= after["usage"].items()
        assert (new["turns"][key]["settings"], new["turns"][key]["system"]) == ({}, "")
    assert TinyStore(home).load(KEY) == store.load(KEY)


def test_change_that_changes_nothing_leaves_the_file(home, path):
    TinyStore(home).update(KEY, lambda session: session)
    assert path.read_text() == SCHEMA_2


@on_a_loop
async def test_session_of_schema_2_goes_on(home, path):
    manager = manager_on(home)
    await ask(manager, "And now?", session=KEY)
    session = manager.sessions.load(KEY)
    assert [turn.prompt for turn in session.path()] == ["Which feature?", "Why?", "And now?"]
    assert session.turns[-1].id == "4"
    assert json.loads(path.read_text())["session"]["1"]["schema"] == SCHEMA


def test_allow_rules_of_a_file_of_schema_3_are_kept_but_do_not_count_until_they_are_confirmed(home, path):
    path.write_text(SCHEMA_3)
    manager = manager_on(home)
    session = manager.sessions.load(KEY)
    assert (session.settings, session.system, session.stamp) == ({"seed": 7}, "Be kind.", "")
    assert session.permissions == {"allow": ["load_*:month=2026-*"], "deny": ["run_*"]}
    permissions, untrusted = manager.sessions.trusted(session)
    assert (permissions.rules, permissions.safety) == ({"allow": [], "deny": ["run_*"]}, "strict")
    assert untrusted == ["allow load_*:month=2026-*"]
    assert manager.sessions.trusted(manager.sessions.confirm_permissions(KEY))[1] == []


def test_stamps_of_schema_4_give_way_to_one_that_the_user_gives(home, path):
    content = json.loads(SCHEMA_3)
    content["session"]["1"] |= {"schema": 4, "stamps": ["0a", "0b"]}
    path.write_text(json.dumps(content))
    manager = manager_on(home)
    session = manager.sessions.load(KEY)
    assert (session.stamp, session.system) == ("", "Be kind.")
    permissions, untrusted = manager.sessions.trusted(session)
    assert (permissions.rules, permissions.safety) == ({"allow": [], "deny": ["run_*"]}, "strict")
    assert untrusted == ["allow load_*:month=2026-*"]
    stamp = manager.sessions.confirm_permissions(KEY).stamp
    written = json.loads(path.read_text())["session"]["1"]
    assert (written["stamp"], written["schema"], "stamps" in written) == (stamp, SCHEMA, False)
    assert manager.sessions.trusted(manager.sessions.load(KEY))[1] == []


def test_listing_has_the_session_and_leaves_its_file(home, path):
    [summary], problems = TinyStore(home).summaries()
    assert (summary.name, summary.turns, problems) == ("churn", 2, [])
    assert path.read_text() == SCHEMA_2


def test_damaged_file_of_schema_2_is_set_aside(home, path):
    path.write_text(SCHEMA_2.replace('"head":"2"', '"head":"9"'))
    with pytest.raises(SessionUnreadableError, match="turn 9 is missing"):
        TinyStore(home).load(KEY)
    assert not path.exists()


def test_migration_changes_nothing_in_place():
    database = json.loads(SCHEMA_2)
    migrated(database)
    assert database == json.loads(SCHEMA_2)


def test_requests_of_schema_2_without_a_usage_or_a_price_are_counted(home, path):
    content = json.loads(SCHEMA_2)
    (request,) = content["turns"]["1"]["requests"]
    nothing = {"input_tokens": 0, "cached_tokens": 0, "output_tokens": 0, "reasoning_tokens": 0, "cost": None}
    content["turns"]["2"]["requests"] = [
        {**request, "usage": {**request["usage"], "cost": None}},
        {**request, "usage": {**nothing, "cost": 0.0}, "finish_reason": None},
        {**request, "model": None, "usage": nothing, "finish_reason": None},
    ]
    path.write_text(json.dumps(content))
    used = TinyStore(home).load(KEY).turn("2").usage
    assert (used.unpriced_requests, used.unmeasured_requests, used.cost) == (1, 1, None)


def test_requests_of_schema_10_are_read_as_without_arrivals_and_known_tools(home):
    manager = manager_on(home)
    manager.run_sync("Hello", session="chat")
    session = manager.sessions.load("chat")
    of_today = json.loads((home / "sessions" / f"{session.id}.json").read_text())
    of_today["session"]["1"]["schema"] = 10
    for request in of_today["turns"]["1"]["requests"]:
        for name in ("offered", "typed", "arrivals"):
            del request[name]
    content = migrated(of_today)
    assert content["session"]["1"]["schema"] == SCHEMA
    (home / "sessions" / f"{session.id}.json").write_text(json.dumps(of_today))
    (request,) = TinyStore(home).load(session.id).turns[0].requests
    assert (request.offered, request.typed, request.arrivals) == (None, "", [])
    assert request.model == "calm"


def test_requests_and_verdicts_of_schema_11_are_read_as_without_what_was_written(home):
    manager = manager_on(home)
    manager.run_sync("Hello", session="chat")
    session = manager.sessions.load("chat")
    path = home / "sessions" / f"{session.id}.json"
    of_today = json.loads(path.read_text())
    of_today["session"]["1"]["schema"] = 11
    turn = of_today["turns"]["1"]
    turn["verdicts"] = [{"judge": "calm", "first": "1", "second": "1", "straight": "tie", "swapped": None}]
    for request in turn["requests"]:
        del request["wrote"]
    path.write_text(json.dumps(of_today))
    (read,) = TinyStore(home).load(session.id).turns
    assert (read.requests[0].wrote, read.verdicts[0].criteria, read.verdicts[0].straight) == ("", "", "tie")
