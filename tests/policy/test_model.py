"""What is a digest, and what a commit."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policy.model import digest, sha

DIGEST, SHA = f"sha256:{'0a' * 32}", "0a" * 20


def test_a_digest_and_a_full_commit_are_what_they_spell() -> None:
    assert (digest(DIGEST), sha(SHA)) == (DIGEST, SHA)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        *((digest, text) for text in ("", SHA, DIGEST[7:], DIGEST[:-1], f"{DIGEST}0", f"{DIGEST}\n", DIGEST.upper())),
        *((sha, text) for text in ("", SHA[:7], f"{SHA}0", f"{SHA}\n", SHA.upper(), "main")),
    ],
)
def test_what_is_cut_short_or_written_otherwise_is_none(read: Callable[[str], str], text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        read(text)


@pytest.mark.parametrize("read", [digest, sha])
def test_of_a_long_text_that_is_none_only_the_beginning_is_said(read: Callable[[str], str]) -> None:
    with pytest.raises(ValueError, match="x") as told:
        read("x" * 3000)
    assert str(told.value).count("x") == 80
