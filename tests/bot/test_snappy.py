"""What was packed comes out as it was, and nothing else does."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.github import snappy
from bot.sandbox.github import attestations


@given(st.binary(max_size=300))
def test_any_bytes_are_unpacked_as_they_were_packed_or_refused(data: bytes) -> None:
    assert snappy.unpacked(attestations.snappy(data), 300) == data
    with suppress(ValueError):
        assert len(snappy.unpacked(data, 300)) <= 300


@pytest.mark.parametrize(
    ("packed", "data"),
    [
        (b"\x09\x04ab\x05\x02\x06\x02\x00", b"ababababa"),
        (b"\x06\x00a\x05\x01", b"aaaaaa"),
        (b"\x05\x04xy\x0b\x02\x00\x00\x00", b"xyxyx"),
        (b"\x03\xf0\x02abc", b"abc"),
    ],
)
def test_copies_of_what_was_before_are_unpacked_too(packed: bytes, data: bytes) -> None:
    assert snappy.unpacked(packed, 100) == data


@pytest.mark.parametrize(
    "packed", [b"", b"\xff\xff\xff\xff\xff", b"\x04\x00a", b"\x04\x05\x01", b"\x02\x04abc", b"\x7f\x00a"]
)
def test_a_damaged_block_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        snappy.unpacked(packed, 100)
