"""What was packed? Snappy's block format: https://github.com/google/snappy/blob/main/format_description.txt."""

from __future__ import annotations


def unpacked(data: bytes, most: int) -> bytes:
    """The bytes as they were; `ValueError` where the block is damaged, or holds more than so many."""
    at, size = _varint(data)
    if size > most:
        message = f"{size} bytes are more than {most}"
        raise ValueError(message)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        if tag & 3 == 0:
            at, length = _literal(data, at, tag)
            out += data[at : at + length]
            at += length
        else:
            at, length, back = _copy(data, at, tag)
            if not 0 < back <= len(out):
                message = "a copy of what is not there"
                raise ValueError(message)
            begin = len(out) - back
            piece = out[begin : begin + length]
            out += (piece * -(-length // len(piece)))[:length]  # it may overlap itself
        if len(out) > size:
            break
    if len(out) != size:
        message = f"{len(out)} bytes where {size} were announced"
        raise ValueError(message)
    return bytes(out)


def _varint(data: bytes) -> tuple[int, int]:
    """Where it ends, and the number."""
    value = 0
    for at, byte in enumerate(data[:5]):
        value |= (byte & 0x7F) << (7 * at)
        if byte < 0x80:
            return at + 1, value
    message = "no length"
    raise ValueError(message)


def _literal(data: bytes, at: int, tag: int) -> tuple[int, int]:
    """Where it begins, and how long it is."""
    length = tag >> 2
    more = max(0, length - 59)
    if more:
        length = int.from_bytes(_part(data, at, more), "little")
    return at + more, length + 1


def _copy(data: bytes, at: int, tag: int) -> tuple[int, int, int]:
    """Where the next thing begins, how long the copy is, and from how far back."""
    if tag & 3 == 1:
        return at + 1, (tag >> 2 & 7) + 4, (tag >> 5) << 8 | _part(data, at, 1)[0]
    width = 2 if tag & 3 == 2 else 4
    return at + width, (tag >> 2) + 1, int.from_bytes(_part(data, at, width), "little")


def _part(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        message = "it ends too soon"
        raise ValueError(message)
    return data[at : at + size]
