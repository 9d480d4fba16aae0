"""Records that are read when a field of theirs is first used."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import MemberDescriptorType


class ReadLater:
    """The base of a dataclass with slots, an instance of which can be made before its fields are read.

    A field that has a value costs what it always does: Python calls `__getattr__` only for a slot without one.
    """

    __slots__ = ("_reading",)

    @classmethod
    def unread(cls, read: Callable[..., object], *arguments: Any) -> Self:
        """Return an instance without fields. Those that are known already can be set in its slots.

        Args:
            read: Called with the instance when another field is used first. It gives the instance all fields.
            arguments: What `read` is called with after the instance.
        """
        record = cls.__new__(cls)
        _READING.__set__(record, (read, arguments))
        return record

    if not TYPE_CHECKING:  # for a type checker, there are no more attributes than the fields

        def __getattr__(self, name: str) -> Any:
            if name not in type(self).__dataclass_fields__:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            try:
                read, arguments = _READING.__get__(self)
            except AttributeError:  # another thread has just read it
                return object.__getattribute__(self, name)
            read(self, *arguments)
            with suppress(AttributeError):  # another thread has done the same
                _READING.__delete__(self)  # what it was read from need not stay in memory
            return object.__getattribute__(self, name)


_READING: MemberDescriptorType = ReadLater.__dict__["_reading"]
