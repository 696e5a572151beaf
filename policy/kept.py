"""What is worked out once, and kept for as long as what it was worked out from is there?

Owners are told apart by what they are, not by what they say: two policies that say the same have two shelves. When a
policy goes, its shelf goes with it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from functools import wraps
from typing import TypeVar

MOST = 4096
"""So many answers are kept for one owner: people can type any number of names."""

Owner = TypeVar("Owner")
Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


def kept(work: Callable[[Owner, Key], Answer]) -> Callable[[Owner, Key], Answer]:
    """The same function; it works only where it did not do so before for this very owner."""
    shelves: dict[int, tuple[weakref.ref[Owner], dict[Key, Answer]]] = {}

    @wraps(work)
    def looked_up(owner: Owner, key: Key) -> Answer:
        number = id(owner)
        shelf = shelves.get(number)
        if shelf is None or shelf[0]() is not owner:
            shelf = shelves[number] = (weakref.ref(owner, lambda _: shelves.pop(number, None)), {})
        answers = shelf[1]
        try:
            return answers[key]
        except KeyError:
            if len(answers) >= MOST:
                answers.clear()
            answer = answers[key] = work(owner, key)
            return answer

    return looked_up
