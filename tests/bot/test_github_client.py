"""What goes over the wire to GitHub, and what does not: how often, how fast, with which token, to which address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from bot.github import AppKey, names
from bot.github.client import Client
from bot.github.credentials import Access, redacted
from bot.github.pace import Limits, Pace
from bot.github.refusal import Refusal
from bot.github.remembered import Answer, Remembered
from commands.errors import OutcomeUnknown, Rejected, Unavailable
from tests.bot.github_host import Heard, Host, LeapTime, Said, StillTime, github_host, github_of
from tests.bot.github_world import NINE, REPOSITORY, key_pair

SPENT = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NINE.timestamp()) + 600)}


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with github_host() as host:
        yield host


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def client(host: Host, session: aiohttp.ClientSession) -> Client:
    return await github_of(host, session)._client()


# Writes -------------------------------------------------------------------------------------------------------------


async def test_writes_go_one_by_one_a_second_apart_and_reads_go_by(host: Host, session: aiohttp.ClientSession) -> None:
    time = StillTime()
    client = await github_of(host, session, time=time)._client()
    host.answers = {"/labels": {"id": 1}, "/branches": {"name": "main"}}
    writing = [asyncio.create_task(client.write(REPOSITORY, "/labels", {"name": str(n)})) for n in range(4)]
    other = asyncio.create_task(client.write("acme/payments", "/labels", {"name": "not here"}))
    await host.came(2)  # the first of each repository
    for written in range(2, 5):
        while not time.sleeping:
            await asyncio.sleep(0)
        before = len(host.heard)
        assert (await client.read(REPOSITORY, "/branches"))["name"] == "main"
        time.passes(0.9)
        assert time.sleeping  # not yet
        assert len(host.heard) == before + 1  # the read
        time.passes(0.1)
        await host.came(before + 2)
        assert [said.body["name"] for said in host.heard if "checkout/labels" in said.path][-1] == str(written - 1)
    await asyncio.gather(*writing)
    with pytest.raises(Rejected):
        await other


async def test_whoever_gives_up_waiting_lets_the_next_write_go(host: Host, session: aiohttp.ClientSession) -> None:
    time = StillTime()
    client = await github_of(host, session, time=time)._client()
    host.answers = {"/labels": {"id": 1}}
    await client.write(REPOSITORY, "/labels", {"name": "first"})
    waits = asyncio.create_task(client.write(REPOSITORY, "/labels", {"name": "gives up"}))
    while not time.sleeping:
        await asyncio.sleep(0)
    waits.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits
    time.passes(1)
    await client.write(REPOSITORY, "/labels", {"name": "last"})
    assert [said.body["name"] for said in host.heard] == ["first", "last"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_no_request_follows_to_where_a_repository_moved(host: Host, client: Client, status: int) -> None:
    host.answers = lambda heard: (
        Said({"message": "Moved"}, status, {"Location": f"{host.url}/repositories/17/labels"})
        if "/repos/" in heard.path
        else Said({"id": 1})
    )
    with pytest.raises(Rejected, match="has moved on GitHub; the policy must name it"):
        await client.write(REPOSITORY, "/labels", {"name": "x"})
    with pytest.raises(Rejected, match="has moved on GitHub; the policy must name it"):
        await client.read(REPOSITORY, "/labels")
    assert [(said.method, said.path) for said in host.heard] == [
        ("POST", "/repos/acme/checkout/labels"),
        ("GET", "/repos/acme/checkout/labels"),
    ]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_write_of_any_kind_that_ends_in_a_broken_gateway_is_sent_once(
    host: Host, client: Client, method: Any
) -> None:
    host.answers = {"/git/refs/heads/x": Said(b"<html>", 502, {"Content-Type": "text/html"})}
    with pytest.raises(OutcomeUnknown):
        await client.write(REPOSITORY, "/git/refs/heads/x", {}, method=method)
    assert [said.method for said in host.heard] == [method]


async def test_what_a_refusal_says_is_told_with_its_status(host: Host, client: Client) -> None:
    host.answers = {"/pulls/7/merge": Said({"message": "Head branch was modified. Review and try again."}, 409)}
    with pytest.raises(Refusal, match="Head branch was modified") as caught:
        await client.write(REPOSITORY, "/pulls/7/merge", {"sha": "a" * 40}, method="PUT")
    assert caught.value.status == 409


# Limits -------------------------------------------------------------------------------------------------------------


async def test_told_to_wait_nobody_asks_before_and_all_are_told_why(host: Host, session: aiohttp.ClientSession) -> None:
    time = LeapTime()
    client = await github_of(host, session, time=time)._client()
    slow = Said({"message": "You have exceeded a secondary rate limit."}, 403, {"retry-after": "90"})
    host.answers = {"/branches": slow, "/labels": {"id": 1}}
    with pytest.raises(Unavailable, match=r"90 s .*too many requests at once"):
        await client.read(REPOSITORY, "/branches")
    for asking in (client.read(REPOSITORY, "/labels"), client.write(REPOSITORY, "/labels", {})):
        with pytest.raises(Unavailable, match=r"90 s .*too many requests at once"):
            await asking
    assert len(host.heard) == 1
    time.at += 85  # five seconds are short enough to wait
    assert await client.read(REPOSITORY, "/labels") == {"id": 1}
    assert time.slept == [pytest.approx(5)]


@pytest.mark.parametrize("status", [200, 304])
async def test_the_last_request_of_an_hour_is_known_before_github_has_to_refuse(
    host: Host, client: Client, status: int
) -> None:
    host.answers = {"/branches": Said({"name": "main"}, headers={"ETag": '"one"'})}
    assert (await client.read(REPOSITORY, "/branches"))["name"] == "main"
    host.answers = {"/branches": Said({"name": "main"}, status, headers=SPENT)}
    assert (await client.read(REPOSITORY, "/branches"))["name"] == "main"
    with pytest.raises(Unavailable, match=r"600 s .*requests of this hour are spent"):
        await client.read(REPOSITORY, "/branches")
    assert len(host.heard) == 2


def test_a_limit_without_a_time_is_waited_for_longer_each_time_but_not_for_ever() -> None:
    time = LeapTime()
    limits = Limits(Pace(monotonic=time.monotonic))
    waits = []
    for _ in range(6):
        limits.told_nothing("core", "why")
        waits.append(limits.left("core")[0])
        time.at += waits[-1]
    assert waits == [60, 120, 240, 480, 900, 900]
    limits.served()
    limits.told_nothing("core", "why")
    assert limits.left("core") == (60, "why")
    assert limits.left("graphql") == (0, "")


# Lists --------------------------------------------------------------------------------------------------------------


async def test_a_list_is_followed_only_below_the_address_that_was_asked(host: Host, client: Client) -> None:
    pages = {f"{host.url}/repositories/17/labels?page=2": None}

    def answer(heard: Heard) -> Said:
        if heard.path.endswith("page=2"):
            return Said([{"id": 2}])
        (more,) = pages
        return Said([{"id": 1}], headers={"Link": f'<{more}>; rel="next"'})

    host.answers = answer
    assert [one["id"] for one in await client.pages(REPOSITORY, "/labels")] == [1, 2]
    for elsewhere in (f"{host.url}.example/next", f"{host.url}@elsewhere.example/next", "https://elsewhere.example/"):
        pages = {elsewhere: None}
        with pytest.raises(Unavailable, match="at another address"):
            await client.pages(REPOSITORY, "/labels")


@pytest.mark.parametrize("said", [None, {}, {"total_count": 1}, {"labels": [], "total_count": None}, {"labels": 7}])
async def test_a_list_that_is_none_decides_nothing(host: Host, client: Client, said: Any) -> None:
    host.answers = lambda _: Said(said)
    with pytest.raises(Unavailable, match="could not be understood"):
        await client.pages(REPOSITORY, "/labels", "labels")


async def test_more_pages_than_are_followed_decide_nothing(host: Host, client: Client) -> None:
    more = {"Link": f'<{host.url}/repos/acme/checkout/labels>; rel="next"'}
    host.answers = {"/labels": Said([{"id": 1}], headers=more)}
    with pytest.raises(Rejected, match="more than 300 entries"):
        await client.pages(REPOSITORY, "/labels", most=3)
    assert len(host.heard) == 3


# What it answered before --------------------------------------------------------------------------------------------


async def test_an_answer_is_used_again_only_where_github_says_that_it_still_is_so(host: Host, client: Client) -> None:
    known = '"one"'

    def answer(heard: Heard) -> Said:
        if heard.headers.get("If-None-Match") == known:
            return Said(None, 304)
        return Said([{"name": known}], headers={"ETag": known, "Link": f'<{host.url}/next>; rel="next"'})

    host.answers = answer
    for _ in range(3):
        read, more = await client._read(REPOSITORY, "/repos/acme/checkout/branches", Access.CODE)
        assert (read, more) == ([{"name": '"one"'}], f"{host.url}/next")
        read.append("somebody changes what they were given")
    assert [said.headers.get("If-None-Match") for said in host.heard] == [None, known, known]
    known = '"two"'
    read, _ = await client._read(REPOSITORY, "/repos/acme/checkout/branches", Access.CODE)
    assert read == [{"name": '"two"'}]


async def test_what_one_token_was_shown_is_not_shown_to_another(host: Host, client: Client) -> None:
    host.answers = lambda heard: Said({"saw": heard.headers["Authorization"]}, headers={"ETag": '"same"'})
    for token in ("first", "other"):
        read, _ = await client._repeated("GET", "/repos/acme/checkout", b"", oauth_token=token)
        assert read == {"saw": f"token {token}"}
    assert all("If-None-Match" not in said.headers for said in host.heard)


def test_no_more_is_remembered_than_fits() -> None:
    remembered = Remembered(most=3, most_bytes=100)
    keys = [remembered.key({"authorization": "token x", "accept": "json"}, f"/{n}") for n in range(4)]
    for key in keys[:3]:
        remembered.keep(key, Answer("e", {}, b"x" * 30))
    assert remembered.get(keys[0]) is not None
    remembered.keep(keys[3], Answer("e", {}, b"x"))
    assert [remembered.get(key) is not None for key in keys] == [True, False, True, True]
    remembered.keep(keys[3], Answer("e", {}, b"x" * 90))
    assert [remembered.get(key) is not None for key in keys] == [False, False, False, True]
    remembered.keep(keys[0], Answer("e", {}, b"x" * 101))
    assert remembered.get(keys[0]) is None


# Passes -------------------------------------------------------------------------------------------------------------


def test_a_private_key_signs_with_its_lines_and_with_spaces_between_them() -> None:
    private, _ = key_pair()
    lines, spaces = (AppKey("4711", key, "99").signed(iat=1) for key in (private, private.strip().replace("\n", " ")))
    assert lines == spaces


async def test_each_purpose_has_its_own_pass_by_the_repositorys_id(host: Host, session: aiohttp.ClientSession) -> None:
    private, _ = key_pair()
    client = await github_of(host, session, key=AppKey("4711", private, "99"))._client()
    given = iter(range(9))

    def answer(heard: Heard) -> Said:
        if heard.path == "/app/installations/99/access_tokens":
            token = f"ghs_4711_eyJ{next(given)}" + "x" * 300
            return Said({"token": token, "expires_at": "2026-11-24T10:00:00Z"}, 201)
        return Said({"id": 17, "full_name": REPOSITORY})

    host.answers = answer
    await asyncio.gather(*(client.read(REPOSITORY, "/branches") for _ in range(20)))
    await asyncio.gather(*(client.read(REPOSITORY, "/issues", Access.ISSUES) for _ in range(20)))
    minted = [said.body for said in host.heard if said.method == "POST"]
    assert minted == [
        {"repositories": ["checkout"], "permissions": Access.CODE.permissions},
        {"repository_ids": [17], "permissions": {"metadata": "read", "issues": "read"}},
    ]


@pytest.mark.parametrize(
    "secret",
    [
        "ghs_" + "a" * 36,
        "ghs_4711_eyJhbGciOi.eyJpc3MiOi-_.sig-nature_0",
        "ghp_" + "b" * 36,
        "github_pat_11AAAA_bbbb",
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiI0NzExIn0.c2ln",
    ],
)
def test_no_token_of_any_length_gets_into_a_text(secret: str) -> None:
    assert redacted(f"Bad credentials: {secret}, again") == "Bad credentials: [token], again"
    assert redacted("ghost and eyJay wrote this") == "ghost and eyJay wrote this"


async def test_a_refusal_that_repeats_our_token_is_told_without_it(host: Host, client: Client) -> None:
    host.answers = {"/labels": Said({"message": "No: ghp_" + "x" * 36}, 403)}
    with pytest.raises(Rejected, match=r"No: \[token\]"):
        await client.read(REPOSITORY, "/labels")


# GraphQL ------------------------------------------------------------------------------------------------------------

MOVE = "mutation($id: ID!) { updateRefs(input: {repositoryId: $id, refUpdates: []}) { clientMutationId } }"


async def test_a_query_goes_by_while_writes_wait_and_a_mutation_waits_with_them(
    host: Host, session: aiohttp.ClientSession
) -> None:
    time = StillTime()
    client = await github_of(host, session, time=time)._client()
    host.answers = lambda _: Said({"data": {"repository": {"id": "R_1"}}})
    await client.write(REPOSITORY, "/labels", {})
    moving = asyncio.create_task(client.change(REPOSITORY, MOVE, {"id": "R_1"}))
    while not time.sleeping:
        await asyncio.sleep(0)
    asked = await client.ask(REPOSITORY, "query { repository { id } }", {})
    assert asked == {"repository": {"id": "R_1"}}
    assert [said.path for said in host.heard] == ["/repos/acme/checkout/labels", "/graphql"]
    time.passes(1)
    assert await moving == {"repository": {"id": "R_1"}}
    assert host.heard[-1].body == {"query": MOVE, "variables": {"id": "R_1"}}
    assert host.heard[-1].headers["X-GitHub-Api-Version"] == "2022-11-28"


@pytest.mark.parametrize(
    ("errors", "of_query", "of_mutation"),
    [
        ([{"type": "NOT_FOUND", "message": "gone"}], Rejected, Rejected),
        ([{"type": "STALE_DATA", "message": "Expected branch to point to x"}], Rejected, Rejected),
        ([{"type": "RATE_LIMITED", "message": "too fast"}], Unavailable, Unavailable),
        ([{"message": "Something went wrong while executing your query."}], Unavailable, OutcomeUnknown),
        ([{"type": "NOT_FOUND", "message": "gone"}, {"message": "and more"}], Unavailable, OutcomeUnknown),
    ],
)
async def test_half_an_answer_is_none_and_a_mutation_that_may_have_been_done_is_unknown(
    host: Host,
    session: aiohttp.ClientSession,
    errors: list[dict[str, str]],
    of_query: type[Exception],
    of_mutation: type[Exception],
) -> None:
    host.answers = lambda _: Said({"data": {"repository": None}, "errors": errors})
    for is_change, raised in ((False, of_query), (True, of_mutation)):
        client = await github_of(host, session)._client()
        with pytest.raises(raised):
            await (client.change if is_change else client.ask)(REPOSITORY, MOVE, {})
    assert len(host.heard) == 2


async def test_a_broken_gateway_leaves_a_mutation_unknown_and_a_query_is_asked_again(
    host: Host, client: Client
) -> None:
    host.answers = lambda _: Said(b"", 502)
    with pytest.raises(OutcomeUnknown):
        await client.change(REPOSITORY, MOVE, {})
    assert len(host.heard) == 1
    with pytest.raises(Unavailable):
        await client.ask(REPOSITORY, "query { viewer { login } }", {})
    assert len(host.heard) == 4


@pytest.mark.parametrize(
    ("url", "graphql"),
    [
        ("https://api.github.com", "https://api.github.com/graphql"),
        ("https://git.acme.example/api/v3", "https://git.acme.example/api/graphql"),
    ],
)
async def test_an_enterprises_own_host_has_graphql_beside_its_version(
    session: aiohttp.ClientSession, url: str, graphql: str
) -> None:
    host = Host()
    host.url = url
    assert (await github_of(host, session)._client())._graphql_url == graphql


# Addresses ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("main", "main"),
        ("release/1.8", "release/1.8"),
        ("feature/ABC-1-what#now", "feature/ABC-1-what%23now"),
        ("v1.0.0+build.7", "v1.0.0%2Bbuild.7"),
        ("grün", "gr%C3%BCn"),
        ("{owner}", "%7Bowner%7D"),
    ],
)
def test_a_branchs_name_stays_one_name_in_an_address(name: str, path: str) -> None:
    assert names.ref_path(name) == path


@pytest.mark.parametrize(
    "name",
    [
        *(
            "..",
            "../../../other/repo",
            "a/../b",
            "a//b",
            "/a",
            "a/",
            ".hidden",
            "a/.hidden",
            "a.lock",
            "a.lock/b",
            "a.",
        ),
        *("a b", "a~1", "a^", "a:b", "a?b", "a*", "a[b", "a\\b", "a@{1}", "-d", "", "a\nb", "a\x7f"),
    ],
)
def test_what_is_no_branchs_name_is_never_sent(name: str) -> None:
    with pytest.raises(Rejected, match="not the name of a branch or tag"):
        names.ref_path(name)
