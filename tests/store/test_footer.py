"""The summary at the end of a snapshot."""

from dataclasses import asdict

import pytest

from sessionmagic.conversation.session import Session, summarize
from sessionmagic.storage import footer
from sessionmagic.storage.footer import Footer, footer_in, with_footer
from sessionmagic.storage.journal import Place

SUMMARY = summarize(Session(id="20261129-080000-0a1b2c3d", name="churn", created_at=1.0, updated_at=2.0))
FOOTER = Footer(SUMMARY, Place(3, 4))


@pytest.fixture
def write(tmp_path):
    def write(size=10):
        path = tmp_path / "snapshot.json"
        path.write_bytes(b"".join(with_footer([b'{"turns":{"1":"' + b"x" * size + b'"}'], FOOTER)))
        return path

    return write


def found(path):
    with path.open("rb") as file:
        return footer_in(file)


@pytest.mark.parametrize("size", [0, 10, 3_000_000])
def test_the_summary_of_a_snapshot_of_any_size_is_found(write, size):
    assert found(write(size)) == FOOTER


@pytest.mark.parametrize("at", [20, -120])
def test_a_snapshot_that_was_changed_has_none(write, at):
    path = write(200_000)
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    assert found(path) is None


def test_the_summary_of_another_version_is_left_alone(write, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(footer, "SCHEMA", 99)
        path = write()
    assert found(path) is None


def test_a_summary_with_other_fields_is_left_alone(write, monkeypatch):
    def as_another(value):
        return asdict(value) | ({"mood": "calm"} if value is SUMMARY else {})

    with monkeypatch.context() as patch:
        patch.setattr(footer, "asdict", as_another)
        path = write()
    assert found(path) is None


def test_the_end_of_a_snapshot_without_a_place_is_left_alone(write, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(footer, "asdict", lambda value: asdict(value) if value is SUMMARY else {})
        path = write()
    assert found(path) is None
