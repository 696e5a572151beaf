"""Secrets through Google's own client: the right one, or a sentence that gives nothing away."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.sandbox.google import GoogleWorld
from bot.secrets import crc32c, resolve
from commands.errors import Rejected, Unavailable
from tests.bot.google_story import google

SECRET = "projects/acme-bot/secrets/slack-signing-secret"
VALUE = "8f742231b10e8888abcd99yyyzzz85a5"


@pytest.fixture
async def world() -> AsyncIterator[GoogleWorld]:
    async with google() as world:
        yield world


async def test_a_plain_value_is_what_it_says() -> None:
    assert await resolve("xoxb-plain") == "xoxb-plain"
    assert await resolve("") == ""


async def test_a_secret_is_read_by_number(world: GoogleWorld) -> None:
    first = world.put_secret(SECRET, VALUE)
    world.put_secret(SECRET, "newer")
    assert await resolve(f"sm://{first}", world.grpc_address) == VALUE


async def test_an_alias_says_which_version_is_meant(world: GoogleWorld) -> None:
    world.put_secret(SECRET, VALUE, alias="live")
    world.put_secret(SECRET, "newer")
    assert await resolve(f"sm://{SECRET}/versions/live", world.grpc_address) == VALUE


async def test_latest_is_refused_without_asking() -> None:
    with pytest.raises(Rejected, match="slack-signing-secret must be asked for by number or alias"):
        await resolve(f"sm://{SECRET}/versions/latest", "127.0.0.1:9")


@pytest.mark.parametrize("address", ["sm://", f"sm://{SECRET}", "sm://projects/p/secrets/s/versions/", "sm://nonsense"])
async def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(Rejected, match="has the form"):
        await resolve(address, "127.0.0.1:9")


@pytest.mark.parametrize(
    ("value", "says"),
    [(f"{VALUE}\n", "white space"), (f" {VALUE}", "white space"), ("", "is empty")],
)
async def test_a_value_that_would_fit_nothing_is_refused(world: GoogleWorld, value: str, says: str) -> None:
    name = world.put_secret(SECRET, value)
    with pytest.raises(Rejected, match=says) as caught:
        await resolve(f"sm://{name}", world.grpc_address)
    assert VALUE not in str(caught.value)


async def test_what_is_no_text_is_refused_and_not_shown(world: GoogleWorld) -> None:
    world.vault.put(SECRET, b"\xff\xfe")
    with pytest.raises(Rejected, match="is not text") as caught:
        await resolve(f"sm://{SECRET}/versions/1", world.grpc_address)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("fault", "error"),
    [("secret_disabled", Rejected), ("secret_damaged", Unavailable), ("secret_unavailable", Unavailable)],
)
async def test_what_goes_wrong_names_the_secret_and_nothing_else(
    world: GoogleWorld, fault: str, error: type[Exception]
) -> None:
    name = world.put_secret(SECRET, VALUE)
    world.inject(fault)
    with pytest.raises(error, match="slack-signing-secret") as caught:
        await resolve(f"sm://{name}", world.grpc_address)
    assert VALUE not in str(caught.value)
    assert await resolve(f"sm://{name}", world.grpc_address) == VALUE


async def test_a_disabled_or_missing_version_is_refused(world: GoogleWorld) -> None:
    name = world.put_secret(SECRET, VALUE)
    world.vault.disable(SECRET, 1)
    for address in (name, f"{SECRET}/versions/2", "projects/acme-bot/secrets/other/versions/1"):
        with pytest.raises(Rejected):
            await resolve(f"sm://{address}", world.grpc_address)


def test_the_checksum_is_the_one_of_the_standard() -> None:
    # https://www.rfc-editor.org/rfc/rfc3720#appendix-B.4
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    assert crc32c(b"123456789") == 0xE3069283
