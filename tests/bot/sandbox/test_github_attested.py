"""What is attested of an artifact: fetched from the local GitHub, and verified by the library that verifies real ones."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.github import GitHub, Pace, PersonalToken
from bot.github.attested import BUNDLES_MAX, Attested, verifying
from bot.github.verifier import Untold, Untrue, Vouched
from bot.sandbox.github import attestations
from bot.sandbox.github.sigstore import PROVENANCE, SBOM, Sigstore, Workflow, built_elsewhere, statement
from commands.errors import Rejected, Unavailable
from policy.evidence import Attestation
from policy.model import Digest, Sha, Unknown
from tests.bot.sandbox.github_place import Place

pytestmark = pytest.mark.asyncio(loop_scope="module")

DIGEST, OTHER = Digest("sha256:" + "ab" * 32), Digest("sha256:" + "cd" * 32)
BUILDER = "https://github.com/acme/pipelines/.github/workflows/build.yml@refs/tags/v3"
AT = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def sigstore() -> Sigstore:
    return Sigstore()


@pytest.fixture(scope="module")
def trusted(sigstore: Sigstore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("trust") / "root.json"
    file.write_text(sigstore.trusted_root())
    return file


def asking(place: Place, attested: Attested) -> GitHub:
    return GitHub(
        place.session,
        PersonalToken(place.world.token),
        place.clock,
        url=place.world.url,
        pace=Pace(write_gap=0),
        attested=attested,
    )


@pytest_asyncio.fixture(loop_scope="module")
async def github(place: Place, trusted: Path) -> GitHub:
    return asking(place, verifying(trusted))


def head(place: Place) -> Sha:
    return Sha(place.git("rev-parse", "main"))


def workflow(place: Place) -> Workflow:
    return Workflow(BUILDER, f"https://github.com/{place.name}", head(place))


Made = Callable[[Sigstore, Workflow], dict[str, Any]]


def provenance(sigstore: Sigstore, by: Workflow, digest: str = DIGEST) -> dict[str, Any]:
    return sigstore.attest(statement(digest, PROVENANCE, {"buildDefinition": {}}), by, AT)


async def found(place: Place, github: GitHub) -> tuple[Attestation, ...]:
    return await github.attestations(place.name, DIGEST, head(place))


# What holds ---------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("S4-090", "S4-088")
async def test_what_a_workflow_attested_is_verified_for_the_artifact_and_its_code(
    place: Place, github: GitHub, sigstore: Sigstore
) -> None:
    assert await found(place, github) == ()
    place.world.attest(place.name, provenance(sigstore, workflow(place)))
    place.world.attest(place.name, sigstore.attest(statement(DIGEST, SBOM), workflow(place), AT))
    sbom, built = await found(place, github)
    assert (built.predicate, built.digest, built.builder, built.verified, built.why_not, built.at) == (
        *(PROVENANCE, DIGEST, BUILDER, True, "", AT),
    )
    assert (sbom.predicate, sbom.verified) == (SBOM, True)
    assert {len(built.hash), len(sbom.hash)} == {64}


async def test_bundles_that_still_stand_in_the_list_are_read_there(
    place: Place, github: GitHub, sigstore: Sigstore
) -> None:
    place.world.attest(place.name, provenance(sigstore, workflow(place)))
    place.world.inject("bundle_inline")
    (one,) = await found(place, github)
    assert one.verified


async def test_one_of_several_is_enough_on_whatever_page(
    place: Place, github: GitHub, sigstore: Sigstore, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.world.attest(place.name, provenance(sigstore, workflow(place)))
    for number in range(4):
        stranger = replace(workflow(place), repository=f"https://github.com/acme/other-{number}")
        place.world.attest(place.name, provenance(sigstore, stranger))
    monkeypatch.setattr(attestations, "PER_PAGE_MAX", 2)
    assert [one.verified for one in await found(place, github)] == [False] * 4 + [True]


async def test_a_commit_that_holds_the_same_is_as_good(place: Place, github: GitHub, sigstore: Sigstore) -> None:
    built = workflow(place)
    merge = Sha(place.git("commit-tree", "main^{tree}", "-p", "main", "-m", "Promote"))
    place.world.attest(place.name, provenance(sigstore, built))
    (one,) = await github.attestations(place.name, DIGEST, merge)
    assert one.verified


# What does not ------------------------------------------------------------------------------------------------------


def tampered(sigstore: Sigstore, by: Workflow) -> dict[str, Any]:
    made = provenance(sigstore, by)
    said = json.loads(base64.b64decode(made["dsseEnvelope"]["payload"]))
    said["predicate"] = {"buildDefinition": {"buildType": "at home"}}
    return with_payload(made, json.dumps(said).encode())


def with_payload(made: dict[str, Any], said: bytes) -> dict[str, Any]:
    envelope = {**made["dsseEnvelope"], "payload": base64.b64encode(said).decode()}
    return {**made, "dsseEnvelope": envelope}


def unlogged(made: dict[str, Any]) -> dict[str, Any]:
    """As GitHub's own instance makes them for private repositories: a time stamp instead of a log."""
    stamped = {"rfc3161Timestamps": [{"signedTimestamp": base64.b64encode(b"stamp").decode()}]}
    material = {**made["verificationMaterial"], "tlogEntries": [], "timestampVerificationData": stamped}
    return {**made, "verificationMaterial": material}


def unsigned(sigstore: Sigstore, by: Workflow) -> dict[str, Any]:
    made = provenance(sigstore, by)
    return {**made, "dsseEnvelope": {**made["dsseEnvelope"], "signatures": []}}


def of_another_log(sigstore: Sigstore, by: Workflow) -> dict[str, Any]:
    made = provenance(sigstore, by)
    other = provenance(Sigstore(), by)
    made["verificationMaterial"]["tlogEntries"] = other["verificationMaterial"]["tlogEntries"]
    return made


@pytest.mark.requirement("S4-074", "S4-090")
@pytest.mark.parametrize(
    ("made", "why_not"),
    [
        (tampered, "its signature does not hold"),
        (of_another_log, "its signature does not hold"),
        (unsigned, "its signature does not hold"),
        (lambda _, by: provenance(Sigstore(), by), "nobody trusted vouches for who signed it"),
        (
            lambda sigstore, by: provenance(sigstore, replace(by, repository="https://github.com/acme/other")),
            "it was built from acme/other",
        ),
        (lambda sigstore, by: provenance(sigstore, replace(by, repository="")), "it was built from nobody knows what"),
        (
            lambda sigstore, by: provenance(sigstore, replace(by, commit="f" * 40)),
            "it was built from fffffff, not from HEAD",
        ),
        (
            lambda sigstore, by: provenance(sigstore, replace(by, commit="")),
            "it was built from nobody knows what, not from HEAD",
        ),
        (
            lambda sigstore, by: provenance(sigstore, built_elsewhere(by)),
            "it was built on a machine that GitHub does not run",
        ),
        (
            lambda sigstore, by: provenance(sigstore, replace(by, issuer="https://accounts.example.com")),
            "https://accounts.example.com says who made it, not GitHub Actions",
        ),
        (lambda sigstore, by: sigstore.attest(b"{}", by, AT), "what it states cannot be read"),
        (lambda sigstore, by: sigstore.attest(b'{"subject": [], "predicateType": "x"}', by, AT), "it states nothing"),
        (lambda *_: {"dsseEnvelope": "unsigned"}, "it cannot be read"),
    ],
)
async def test_what_does_not_hold_is_refused_and_why(
    place: Place, github: GitHub, sigstore: Sigstore, made: Made, why_not: str
) -> None:
    place.world.attest(place.name, made(sigstore, workflow(place)), DIGEST)
    (one,) = await found(place, github)
    assert not one.verified
    assert one.why_not.startswith(why_not.replace("HEAD", head(place)[:7])), one.why_not


@pytest.mark.requirement("S4-071")
async def test_a_commit_that_holds_something_else_is_named(place: Place, github: GitHub, sigstore: Sigstore) -> None:
    built = workflow(place)
    await place.write("main", {"more.txt": "more\n"})
    place.world.attest(place.name, provenance(sigstore, built))
    (one,) = await found(place, github)
    assert one.why_not == f"it was built from {built.commit[:7]}, not from {head(place)[:7]}"
    (one,) = await github.attestations(place.name, DIGEST, Unknown("its commit is not known"))
    assert (one.verified, one.why_not) == (False, "its commit is not known")


async def test_what_is_stated_of_another_artifact_is_handed_on_as_that(
    place: Place, github: GitHub, sigstore: Sigstore
) -> None:
    place.world.attest(place.name, provenance(sigstore, workflow(place), OTHER), DIGEST)
    (one,) = await found(place, github)
    assert one.digest == OTHER


# What cannot be told ------------------------------------------------------------------------------------------------


class OwnVerifier:
    """What an organisation may bring along for its private repositories: here it believes one bundle only."""

    def vouched(self, bundle: bytes) -> Vouched:
        said = base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"])
        if b"evil" in said:
            raise Untrue("its time stamp does not hold")
        repository, commit = json.loads(said)["predicate"]["from"].split("@")
        kind, issuer = "application/vnd.in-toto+json", "https://token.actions.githubusercontent.com"
        return Vouched(kind, said, issuer, BUILDER, repository, commit, "github-hosted", AT)


async def test_what_is_in_no_public_log_is_not_known_until_somebody_can_tell(
    place: Place, sigstore: Sigstore, trusted: Path
) -> None:
    came = {"from": f"https://github.com/{place.name}@{head(place)}"}
    private = unlogged(sigstore.attest(statement(DIGEST, PROVENANCE, came), workflow(place), AT))
    place.world.attest(place.name, private)
    with pytest.raises(Rejected, match="it is in no public log, as those of private repositories"):
        await found(place, asking(place, verifying(trusted)))
    place.world.attest(place.name, sigstore.attest(statement(DIGEST, SBOM), workflow(place), AT))
    assert [one.predicate for one in await found(place, asking(place, verifying(trusted)))] == [SBOM]
    told = asking(place, verifying(trusted, f"{__name__}:OwnVerifier"))
    assert [one.verified for one in await found(place, told)] == [True, True]
    said = statement(DIGEST, PROVENANCE, {**came, "evil": True})
    place.world.attest(place.name, unlogged(sigstore.attest(said, workflow(place), AT)))
    assert [one.why_not for one in await found(place, told)] == ["its time stamp does not hold", "", ""]
    with pytest.raises(Rejected, match="There is no nobody:Nothing"):
        await found(place, asking(place, verifying(trusted, "nobody:Nothing")))


async def test_without_the_library_nothing_is_known(
    place: Place, sigstore: Sigstore, trusted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.world.attest(place.name, provenance(sigstore, workflow(place)))
    monkeypatch.setitem(sys.modules, "bot.github.sigstore_verifier", None)
    with pytest.raises(Rejected, match="nothing that verifies attestations is installed"):
        await found(place, asking(place, verifying(trusted)))


async def test_the_pinned_root_and_several_in_one_file_are_trusted_each_for_its_own(
    place: Place, sigstore: Sigstore, tmp_path: Path
) -> None:
    place.world.attest(place.name, provenance(sigstore, workflow(place)))
    (one,) = await found(place, asking(place, verifying()))
    assert one.why_not == "nobody trusted vouches for who signed it"
    without_log = json.dumps({**json.loads(Sigstore().trusted_root()), "tlogs": []})
    both = tmp_path / "roots.jsonl"
    both.write_text(f"{without_log}\n{Sigstore().trusted_root()}\n{sigstore.trusted_root()}\n")
    (one,) = await found(place, asking(place, verifying(both)))
    assert one.verified
    place.world.attest(place.name, tampered(sigstore, workflow(place)))
    changed, _ = await found(place, asking(place, verifying(both)))
    both.write_text(f"{sigstore.trusted_root()}\n{Sigstore().trusted_root()}\n")
    again, _ = await found(place, asking(place, verifying(both)))
    assert changed.why_not == again.why_not == "its signature does not hold"
    both.write_text(f"{without_log}\n")
    with pytest.raises(Rejected, match="the trusted root has no log to go by"):
        await found(place, asking(place, verifying(both)))
    both.write_text("{")
    with pytest.raises(Rejected, match="The trusted root for attestations cannot be read"):
        await found(place, asking(place, verifying(both)))


async def test_what_is_stated_in_depths_that_nobody_reads_proves_nothing(place: Place, sigstore: Sigstore) -> None:
    class Believes:
        def vouched(self, _: bytes) -> Vouched:
            issuer, repository = "https://token.actions.githubusercontent.com", f"https://github.com/{place.name}"
            kind, said = "application/vnd.in-toto+json", b"[" * 100_000
            return Vouched(kind, said, issuer, BUILDER, repository, head(place), "github-hosted", AT)

    place.world.attest(place.name, provenance(sigstore, workflow(place)))
    (one,) = await found(place, asking(place, Attested(Believes)))
    assert (one.verified, one.why_not) == (False, "what it states cannot be read")


async def test_a_part_of_very_many_decides_nothing(place: Place, github: GitHub) -> None:
    for _ in range(BUNDLES_MAX + 1):
        place.world.attest(place.name, {"mediaType": "x"}, DIGEST)
    with pytest.raises(Rejected, match="more than 100 attestations"):
        await found(place, github)


# What lies elsewhere ------------------------------------------------------------------------------------------------


async def test_what_lies_elsewhere_is_fetched_bounded_and_only_where_nobody_listens_in(
    place: Place, github: GitHub, sigstore: Sigstore
) -> None:
    place.world.attest(place.name, provenance(sigstore, workflow(place)))
    listed = await place.asks()("GET", f"attestations/{DIGEST}")
    url, client = listed.body["attestations"][0]["bundle_url"], await github.connection.client()
    assert await client.elsewhere(url, 100_000) is not None
    assert await client.elsewhere(url, 100) is None
    with pytest.raises(Unavailable):
        await client.elsewhere(url.replace("/bundles/", "/bundles/x"), 100)
    with pytest.raises(Unavailable, match="where it cannot be fetched safely"):
        await client.elsewhere(f"{place.world.url}.example.com/x", 100)
    for nowhere in ("https://[x", "https://example.com:99999/", "https://example.com:x/"):
        with pytest.raises(Unavailable):
            await client.elsewhere(nowhere, 100)


async def test_who_cannot_tell_leaves_it_to_the_next(place: Place, sigstore: Sigstore) -> None:
    class Doubts:
        def vouched(self, _: bytes) -> Vouched:
            raise Untold("it is written in a hand that nobody reads")

    place.world.attest(place.name, provenance(sigstore, workflow(place)))
    with pytest.raises(Rejected, match="in a hand that nobody reads"):
        await found(place, asking(place, Attested(Doubts)))
