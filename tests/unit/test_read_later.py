"""Records that are read when a field of theirs is first used."""

import copy
import pickle
from dataclasses import asdict, dataclass, replace

import pytest

from sessionmagic.conversation.read_later import ReadLater
from sessionmagic.json_bytes import dumps


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class Note(ReadLater):
    id: str
    text: str = ""


READ = Note(id="1", text="leakage")


@pytest.fixture
def times():
    """Return the notes that were read, in order."""
    return []


@pytest.fixture
def unread(times):
    def read(note):
        times.append(note)
        object.__setattr__(note, "id", "1")
        object.__setattr__(note, "text", "leakage")

    return Note.unread(read)


def test_record_is_read_once_and_then_like_any_other(unread, times):
    assert (unread.text, unread.id, unread.text) == ("leakage", "1", "leakage")
    assert len(times) == 1


def test_field_that_is_known_needs_no_reading(unread, times):
    Note.id.__set__(unread, "known")
    assert unread.id == "known"
    assert times == []


def pickled(note):
    return pickle.loads(pickle.dumps(note))  # noqa: S301  our own bytes


@pytest.mark.parametrize(
    "used",
    [repr, dumps, asdict, replace, copy.copy, copy.deepcopy, pickled],
    ids=["repr", "JSON", "dict", "replaced", "copy", "deep copy", "pickle"],
)
def test_whoever_looks_at_all_fields_finds_them(unread, used):
    assert used(unread) == used(READ)


def test_unread_record_equals_one_with_the_same_fields(unread):
    assert unread == READ


def test_attribute_that_is_no_field_does_not_exist_and_reads_nothing(unread, times):
    assert not hasattr(unread, "_repr_html_")
    assert times == []


def test_record_that_cannot_be_read_says_so_each_time():
    def read(_note):
        raise ValueError("damaged")

    note = Note.unread(read)
    for _ in range(2):
        with pytest.raises(ValueError, match="damaged"):
            _ = note.text


def test_record_that_another_thread_has_read_meanwhile_is_complete(unread):
    """Both have found a slot without a value, and the other one was faster."""
    assert unread.text == "leakage"
    assert Note.__getattr__(unread, "text") == "leakage"
