"""What is worked out once, and kept for as long as what it was worked out from is there?

Owners are told apart by what they are, not by what they say: two policies that say the same have two shelves. When a
policy goes, its shelf goes with it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from functools import wraps
from typing import Generic, TypeVar

MOST = 4096
"""So many answers are kept for one owner: people can type any number of names."""

Owner = TypeVar("Owner")
Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class _Shelf(Generic[Owner, Key, Answer]):
    """What is kept for one owner, and what was looked up last: the same things are asked one after the other."""

    __slots__ = ("answers", "last", "owner")

    def __init__(self, owner: weakref.ref[Owner]) -> None:
        self.owner = owner
        self.answers: dict[Key, Answer] = {}
        self.last: tuple[Key, Answer] | None = None


def kept(work: Callable[[Owner, Key], Answer]) -> Callable[[Owner, Key], Answer]:
    """The same function; it works only where it did not do so before for this very owner."""
    shelves: dict[int, _Shelf[Owner, Key, Answer]] = {}

    @wraps(work)
    def looked_up(owner: Owner, key: Key) -> Answer:
        number = id(owner)
        shelf = shelves.get(number)
        if shelf is None or shelf.owner() is not owner:
            shelf = shelves[number] = _Shelf(weakref.ref(owner, lambda _: shelves.pop(number, None)))
        last = shelf.last
        if last is not None and last[0] is key:
            return last[1]
        answers = shelf.answers
        try:
            answer = answers[key]
        except KeyError:
            if len(answers) >= MOST:
                answers.clear()
            answer = answers[key] = work(owner, key)
        shelf.last = (key, answer)
        return answer

    return looked_up
