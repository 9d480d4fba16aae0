"""Whether a call may run: the table of rulings, and what the patterns of rules fit."""

from dataclasses import replace
from datetime import date
from itertools import product
from pathlib import Path

import pytest

from sessionmagic.exceptions import UsageError
from sessionmagic.tools.call import Call
from sessionmagic.tools.permissions import SAFETIES, VERDICTS, Policy, rule_list, safety_of, with_rule, without_rule
from sessionmagic.tools.rule_patterns import allows, matches


def rules(text):
    """Rules written as `deny run, allow read`."""
    made = {}
    for rule in filter(None, text.split(", ")):
        verdict, _, pattern = rule.partition(" ")
        made.setdefault(verdict, []).append(pattern)
    return made


# The call is run(path="a.csv"). Given: `reads` it is read-only, `code` it runs code, `alone` nobody can be asked, `yes`
# all was approved.
TABLE = [
    # session's rules, agents file's rules, safety, given, verdict
    # no rule: the safety mode decides
    ("", "", "strict", "", "ask"),
    ("", "", "strict", "reads", "ask"),
    ("", "", "balanced", "", "ask"),
    ("", "", "balanced", "reads", "allow"),
    ("", "", "restricted", "", "deny"),
    ("", "", "restricted", "reads", "allow"),
    ("", "", "autonomous", "", "allow"),
    ("", "", "autonomous", "reads", "allow"),
    # nobody to ask
    ("", "", "strict", "alone", "deny"),
    ("", "", "strict", "alone reads", "deny"),
    ("", "", "balanced", "alone", "deny"),
    ("", "", "balanced", "alone reads", "allow"),
    ("", "", "restricted", "alone", "deny"),
    ("", "", "autonomous", "alone", "allow"),
    ("ask run", "", "autonomous", "alone", "deny"),
    ("ask run", "", "balanced", "alone reads", "deny"),
    ("allow run", "", "strict", "alone", "allow"),
    # all approved beforehand
    ("", "", "strict", "yes", "allow"),
    ("", "", "balanced", "yes", "allow"),
    ("", "", "restricted", "yes", "allow"),
    ("", "", "strict", "yes alone", "allow"),
    ("ask run", "", "strict", "yes", "allow"),
    ("", "ask run", "strict", "yes", "allow"),
    # everything was approved until the kernel ends: only a rule says otherwise
    ("", "", "balanced", "everything", "allow"),
    ("", "", "strict", "everything", "allow"),
    ("", "", "restricted", "everything", "allow"),
    ("", "", "strict", "everything alone", "allow"),
    ("ask run", "", "balanced", "everything", "ask"),
    ("", "ask run", "balanced", "everything", "ask"),
    ("deny run", "", "balanced", "everything", "deny"),
    ("deny run", "", "autonomous", "yes", "deny"),
    ("", "deny run", "autonomous", "yes", "deny"),
    # a rule of the session comes before one of the file, and both before the safety mode
    ("allow run", "", "strict", "", "allow"),
    ("allow run", "", "restricted", "", "allow"),
    ("ask run", "", "autonomous", "", "ask"),
    ("ask run", "", "balanced", "reads", "ask"),
    ("ask run", "", "restricted", "reads", "ask"),
    ("", "allow run", "strict", "", "allow"),
    ("", "ask run", "autonomous", "", "ask"),
    ("", "ask run", "restricted", "", "ask"),
    ("allow run", "ask run", "strict", "", "allow"),
    ("ask run", "allow run", "autonomous", "", "ask"),
    # what runs code is let run by the user only, never by a file
    ("", "", "balanced", "code", "ask"),
    ("", "allow *", "balanced", "code", "ask"),
    ("", "allow run", "restricted", "code", "deny"),
    ("", "allow run", "balanced", "alone code", "deny"),
    ("", "deny run", "autonomous", "code", "deny"),
    ("allow run", "", "balanced", "code", "allow"),
    ("allow run", "ask run", "balanced", "code", "allow"),
    ("", "", "autonomous", "code", "allow"),
    ("", "", "balanced", "yes code", "allow"),
    # a deny rule wins wherever it stands
    ("deny run", "", "autonomous", "reads", "deny"),
    ("", "deny run", "autonomous", "reads", "deny"),
    ("allow run", "deny run", "autonomous", "", "deny"),
    ("ask run", "deny run", "autonomous", "", "deny"),
    ("deny run", "allow run", "autonomous", "", "deny"),
    # within one set deny beats allow beats ask, however narrow the pattern
    ("deny *, allow run", "", "autonomous", "", "deny"),
    ("allow *, ask run", "", "strict", "", "allow"),
    ("allow *, ask run:path=a.csv", "", "strict", "", "allow"),
    ("", "deny *, allow run", "autonomous", "", "deny"),
    ("", "allow *, ask run", "strict", "", "allow"),
    # rules for other calls say nothing
    ("deny walk", "", "autonomous", "", "allow"),
    ("deny run:path=*.env", "", "autonomous", "", "allow"),
    ("deny run:path=*.csv", "", "autonomous", "", "deny"),
    ("allow walk", "ask walk", "balanced", "", "ask"),
    ("allow run:path=*.csv", "", "strict", "", "allow"),
    ("allow run:path=*.env", "", "balanced", "", "ask"),
]


def policy_of(session, file, safety, given):
    return Policy(
        session=rules(session),
        file=rules(file),
        safety=safety,
        attended="alone" not in given,
        yes="yes" in given,
        everything="everything" in given,
    )


def call_of(given):
    return Call("run", {"path": "a.csv"}, read_only="reads" in given, runs_code="code" in given)


@pytest.mark.parametrize(("session", "file", "safety", "given", "verdict"), TABLE)
def test_table_of_rulings(session, file, safety, given, verdict):
    ruling = policy_of(session, file, safety, given).rule_on(call_of(given))
    assert ruling.verdict == verdict
    assert ruling.why


SETS = ["", "allow run", "ask run", "allow run, ask run"]
GIVEN = [" ".join(words) for words in product(["", "reads"], ["", "alone"], ["", "yes"], ["", "everything"])]
EVERY = list(product(SETS, SETS, SAFETIES, GIVEN))


def test_deny_rule_wins_over_everything():
    for session, file, safety, given in EVERY:
        for denied in ((f"{session}, deny run", file), (session, f"{file}, deny run")):
            assert policy_of(*denied, safety, given).rule_on(call_of(given)).verdict == "deny"


def test_nobody_is_asked_where_nobody_is():
    for session, file, safety, given in EVERY:
        verdict = policy_of(session, file, safety, given).rule_on(call_of(given)).verdict
        assert verdict != "ask" or "alone" not in given


def test_restricted_session_asks_only_where_a_rule_does():
    for session, file, safety, given in EVERY:
        if safety == "restricted" and policy_of(session, file, safety, given).rule_on(call_of(given)).verdict == "ask":
            assert "ask run" in f"{session}, {file}"


def test_call_that_was_approved_beforehand_runs():
    for session, file, safety, given in EVERY:
        assert policy_of(session, file, safety, f"{given} yes").rule_on(call_of(given)).verdict == "allow"


def test_without_a_deny_rule_only_what_would_ask_is_denied():
    for session, file, safety, given in EVERY:
        policy = policy_of(session, file, safety, given)
        if policy.rule_on(call_of(given)).verdict == "deny":
            attended = replace(policy, attended=True)
            assert safety == "restricted" or attended.rule_on(call_of(given)).verdict == "ask"


@pytest.mark.parametrize(
    ("session", "file", "safety", "given", "words"),
    [
        ("deny r*", "", "balanced", "", "the session has a deny rule for r*"),
        ("", "deny r*", "balanced", "", "the agents file has a deny rule for r*"),
        ("", "allow r*", "balanced", "", "the agents file has an allow rule for r*"),
        ("ask run", "", "balanced", "", "the session has an ask rule for run"),
        (
            "ask run",
            "",
            "balanced",
            "alone",
            "the session has an ask rule for run, and nobody is available to approve the call",
        ),
        ("", "", "balanced", "alone", "the tool may change something, and nobody is available to approve the call"),
        ("", "", "restricted", "", "the tool may change something, and the session's safety mode is restricted"),
        ("", "", "balanced", "", "the tool may change something"),
        ("", "", "balanced", "reads", "the tool is read-only"),
        ("", "", "strict", "", "the session's safety mode is strict"),
        ("", "", "autonomous", "", "the session's safety mode is autonomous"),
        ("", "", "strict", "yes", "all calls of this turn were approved in advance"),
        ("", "", "strict", "everything", "everything was approved until this kernel ends"),
    ],
)
def test_ruling_says_why(session, file, safety, given, words):
    assert policy_of(session, file, safety, given).rule_on(call_of(given)).why == words


@pytest.mark.parametrize(
    ("pattern", "tool", "args", "fits"),
    [
        # names
        ("run", "run", {}, True),
        # several globs on one argument
        ("run:path=/data/*:path=*.csv", "run", {"path": "/data/a.csv"}, True),
        ("run:path=/data/*:path=*.csv", "run", {"path": "/etc/a.csv"}, False),
        ("run:path=/data/*:path=*.csv", "run", {"path": "/data/a.txt"}, False),
        ("run", "runs", {}, False),
        ("run", "a_run", {}, False),
        ("run_*", "run_python", {}, True),
        ("*", "anything", {}, True),
        ("r?n", "run", {}, True),
        ("[rs]un", "sun", {}, True),
        ("[!rs]un", "sun", {}, False),
        ("RUN_*", "run_Python", {}, True),
        ("run", "RUN", {}, True),
        # conditions
        ("read:path=*.csv", "read", {"path": "data/a.CSV"}, True),
        ("read:path=*.csv", "read", {"path": "a.csv.gz"}, False),
        ("read:path=*.csv", "write", {"path": "a.csv"}, False),
        ("r*:path=*.csv", "read", {"path": "a.csv"}, True),
        ("read:path=*", "read", {}, False),
        ("read:path=", "read", {"path": ""}, True),
        ("read:path=*", "read", {"path": ""}, True),
        ("read:PATH=a", "read", {"path": "a"}, False),
        ("read:file-path=*.env", "read", {"file-path": "a.env"}, True),
        ("read:file-path=*.env", "read", {"file-path": "a.csv"}, False),
        ("read:path=*.csv:mode=r", "read", {"path": "a.csv", "mode": "r"}, True),
        ("read:path=*.csv:mode=r", "read", {"path": "a.csv", "mode": "w"}, False),
        ("read:path=*.csv:mode=r", "read", {"path": "a.csv"}, False),
        ("read:mode=r:path=*.csv", "read", {"path": "a.csv", "mode": "r"}, True),
        # values with colons, newlines and equal signs
        ("get:url=https://*", "get", {"url": "https://example.org:80/?a=b:c=d"}, True),
        ("get:url=https://*:80/*", "get", {"url": "https://example.org:80/"}, True),
        ("get:url=https://*", "get", {"url": "http://example.org"}, False),
        ("run:code=*import os*", "run", {"code": "x = 1\nimport os\n"}, True),
        ("run:code=x\ny", "run", {"code": "x\ny"}, True),
        ("run:code=x = *", "run", {"code": "x = y == z"}, True),
        ("run:code=[[]1]", "run", {"code": "[1]"}, True),
        # values that are no text are matched as JSON
        ("f:n=5", "f", {"n": 5}, True),
        ("f:n=5", "f", {"n": 50}, False),
        ("f:n=2.5", "f", {"n": 2.5}, True),
        ("f:force=true", "f", {"force": True}, True),
        ("f:force=true", "f", {"force": False}, False),
        ("f:x=null", "f", {"x": None}, True),
        ('f:names=*"secret"*', "f", {"names": ["a", "secret"]}, True),
        ('f:names=*"größe"*', "f", {"names": ["größe"]}, True),
        ('f:at=*"path": "*.env"*', "f", {"at": {"path": "a.env"}}, True),
        ("f:at=*1*", "f", {"at": {1: "a"}}, True),
        # values that a function's annotations made into something else are matched as the model wrote them
        ("f:path=*.env", "f", {"path": Path("a.env")}, True),
        ("f:path=a.csv", "f", {"path": Path("a.env")}, False),
        ("f:day=2026-*", "f", {"day": date(2026, 1, 2)}, True),
        ("f:at=*", "f", {"at": {date(2026, 1, 2): 1}}, True),
        # tools whose name has colons
        ("mcp:read", "mcp:read", {}, True),
        ("mcp:*", "mcp:read", {"path": "a"}, True),
        ("mcp:read", "mcp", {"read": "x"}, False),
        ("mcp:read:path=*.csv", "mcp:read", {"path": "a.csv"}, True),
        ("mcp:read:path=*.csv", "mcp:read", {"path": "a.env"}, False),
    ],
)
def test_pattern_fits_a_call(pattern, tool, args, fits):
    assert matches(pattern, Call(tool, args)) is fits


@pytest.mark.parametrize(
    ("pattern", "written", "received", "denies", "permits"),
    [
        ("f:n=1", {"n": "1"}, [{"n": 1}], True, True),
        ("f:n=1", {"n": True}, [{"n": 1}], True, False),
        ("f:n=true", {"n": 1}, [{"n": True}], True, False),
        ("f:path=data/*", {"path": "data/a"}, [{"path": "secret"}], True, False),
        ("f:path=data/*", {"path": "secret"}, [{"path": "data/a"}], True, False),
        ("f:path=data/*", {"file": "data/a"}, [{"file": "data/a"}, {"path": "data/a"}], True, False),
        ("f:file=data/*", {"file": "data/a"}, [{"file": "data/a"}, {"path": "data/a"}], True, True),
        ("f:file=data/*", {"file": "data/a", "path": "b"}, [{"path": "b"}], True, False),
        ("f:path=data/*", {"path": "data/../a"}, [{"path": "data/../a"}], True, False),
        ("f:path=secret/*", {"path": "data/../secret/a"}, [{"path": "data/../secret/a"}], True, False),
        ("f:path=data/*", {"path": "data/a"}, [], True, True),
        ("f", {"n": True}, [{"n": 1}], True, True),
    ],
)
def test_deny_rule_takes_one_match_and_allow_rule_takes_both(pattern, written, received, denies, permits):
    call = Call("f", written, received=received)
    assert (matches(pattern, call), allows(pattern, call)) == (denies, permits)


def test_rule_is_added_at_the_end_and_stands_once():
    before = rules("deny a, allow b")
    after = with_rule(before, "allow", "c")
    assert after == rules("deny a, allow b, allow c")
    assert with_rule(after, "allow", "c") == after
    assert with_rule({}, "ask", "c") == {"ask": ["c"]}
    assert before == rules("deny a, allow b")


def test_rule_that_stood_under_another_verdict_moves():
    moved = with_rule(rules("deny a, deny b, ask c"), "allow", "a")
    assert rule_list(moved) == [("deny", "b"), ("allow", "a"), ("ask", "c")]


def test_rule_is_taken_away_wherever_it_stands():
    before = rules("deny a, allow b, ask a")
    assert rule_list(without_rule(before, "a")) == [("allow", "b")]
    with pytest.raises(UsageError, match="no rule with the pattern 'unknown'"):
        without_rule(before, "unknown")
    assert before == rules("deny a, allow b, ask a")


@pytest.mark.parametrize("pattern", ["", "  ", ":path=*.csv", " :path=*.csv"])
@pytest.mark.parametrize("verdict", VERDICTS)
def test_rule_that_names_no_tool_is_refused(verdict, pattern):
    with pytest.raises(UsageError, match="does not name a tool"):
        with_rule({}, verdict, pattern)


@pytest.mark.parametrize("safety", SAFETIES)
def test_safety_mode_is_found_by_its_name(safety):
    assert safety_of(safety) == safety


@pytest.mark.parametrize(
    ("word", "hint"),
    [("balancd", "did you mean 'balanced'?"), ("", "use one of"), ("STRICT", "use one of"), ("x", "strict")],
)
def test_unknown_safety_mode_is_refused_and_all_are_named(word, hint):
    with pytest.raises(UsageError) as caught:
        safety_of(word)
    assert hint in str(caught.value)
    assert "did you mean" in hint or all(safety in str(caught.value) for safety in SAFETIES)


def test_denial_where_nobody_can_approve_says_what_to_do():
    policy = Policy(session={}, file={}, attended=False, remedy="ask at the door")
    assert policy.rule_on(call_of("")).why.endswith("nobody is available to approve the call; ask at the door")
