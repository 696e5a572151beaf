"""How do votes, freezes, exceptions, what is owed and what was seen stand in our books? Values in, rows out, and back.

A record that is written again replaces what stands there, but never takes back what somebody else did to it meanwhile:
then it is `Taken`, and whoever comes second looks again. Nor does it ever replace what somebody else asked for.
"""

# ruff: noqa: S608  (statements are put together from constants of ours only; values are always bound)

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from bot.database import Transaction
from bot.dialect import Row
from bot.ledger import micros, moment
from commands.errors import Conflict
from commands.manifest import ManifestRecord
from commands.ports import Audited, SeenTag, Shown, Taken, Watched, Writes
from commands.record import hash_of
from policy.facts import ExceptionRecord, Freeze, Hold, KnownGood, Obligation, Verdict, Vote
from policy.model import Digest, Person, Place, Sha

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@cache
def _persons() -> TypeAdapter[Person]:
    from pydantic import TypeAdapter  # 0.1 s that taking down words can do without

    return TypeAdapter(Person)


@cache
def _exceptions() -> TypeAdapter[ExceptionRecord]:
    from pydantic import TypeAdapter

    return TypeAdapter(ExceptionRecord)


@cache
def _obligations() -> TypeAdapter[Obligation]:
    from pydantic import TypeAdapter

    return TypeAdapter(Obligation)


@cache
def _watched() -> TypeAdapter[Watched]:
    from pydantic import TypeAdapter

    return TypeAdapter(Watched)


@cache
def _audited() -> TypeAdapter[Audited]:
    from pydantic import TypeAdapter

    return TypeAdapter(Audited)


@cache
def _shown() -> TypeAdapter[Shown]:
    from pydantic import TypeAdapter

    return TypeAdapter(Shown)


@cache
def _manifests() -> TypeAdapter[ManifestRecord]:
    from pydantic import TypeAdapter

    return TypeAdapter(ManifestRecord)


def warm() -> None:
    """What reads and writes them is made."""
    for adapter in (_persons, _exceptions, _obligations, _watched, _audited, _shown, _manifests):
        adapter()


# Writing ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ready:
    """What `Writes` says of records, with all that can be done outside the transaction done."""

    writes: Writes
    voters: tuple[str, ...]
    """JSON, of the votes on operations and then of those on records."""
    exceptions: tuple[str, ...]
    obligations: tuple[str, ...]
    watched: tuple[str, ...]
    audited: tuple[str, ...]
    shown: tuple[str, ...]
    manifests: tuple[str, ...]


def ready(writes: Writes) -> Ready:
    return Ready(
        writes,
        voters=tuple(_persons().dump_json(vote.voter).decode() for _, vote in (*writes.votes, *writes.record_votes)),
        exceptions=tuple(_exceptions().dump_json(exception).decode() for exception in writes.exceptions),
        obligations=tuple(_obligations().dump_json(obligation).decode() for obligation in writes.obligations),
        watched=tuple(_watched().dump_json(each).decode() for each in writes.watched),
        audited=tuple(_audited().dump_json(each).decode() for each in writes.audited),
        shown=tuple(_shown().dump_json(each).decode() for each in writes.shown),
        manifests=tuple(_manifests().dump_json(each).decode() for each in writes.manifests),
    )


def keep(books: Transaction, step: Ready) -> None:
    """All of it is written; `Taken` where somebody else was faster with one of them."""
    writes, voters = step.writes, iter(step.voters)
    for id, vote in writes.votes:
        _cast(books, "votes", "operation", id, vote, next(voters))
    for id, seen in writes.votes_seen:
        if votes(books.run(RECORD_VOTES, {"id": id})) != seen:
            raise Taken(id)
    for id, vote in writes.record_votes:
        _cast(books, "record_votes", "record", id, vote, next(voters))
    for freeze in writes.freezes:
        _keep_freeze(books, freeze)
    for id, at in writes.ended_freezes:
        books.run("UPDATE freezes SET ended_at = :at WHERE id = :id AND ended_at IS NULL", {"id": id, "at": micros(at)})
    for exception, data in zip(writes.exceptions, step.exceptions, strict=True):
        _keep_exception(books, exception, data)
    for obligation, data in zip(writes.obligations, step.obligations, strict=True):
        _keep_obligation(books, obligation, data)
    _keep_places(books, step)


def _keep_places(books: Transaction, step: Ready) -> None:
    """What may not go where, what was good there, and how it looks."""
    writes = step.writes
    for hold in writes.holds:
        _keep_hold(books, hold)
    for id, at in writes.lifted_holds:
        books.run("UPDATE holds SET lifted_at = :at WHERE id = :id AND lifted_at IS NULL", {"id": id, "at": micros(at)})
    for place, good in writes.good:
        _keep_good(books, place, good)
    for each, data in zip(writes.watched, step.watched, strict=True):
        _keep_watched(books, each, data)
    for audited, data in zip(writes.audited, step.audited, strict=True):
        _keep_audited(books, audited, data)
    for shown, data in zip(writes.shown, step.shown, strict=True):
        _keep_shown(books, shown, data)
    for manifest, data in zip(writes.manifests, step.manifests, strict=True):
        _keep_manifest(books, manifest, data)
    for tag in writes.tags:
        _keep_tag(books, tag)


def _cast(books: Transaction, table: str, about: str, id: str, vote: Vote, voter: str) -> None:
    """The vote is kept; `Taken` where it stands already, for of two clicks at once the second must see the first."""
    confirms = json.dumps(sorted(vote.confirms))
    last = books.one(
        f"SELECT verdict, plan, withdrawn_at, confirms FROM {table} WHERE {about} = :id AND account = :account"
        " ORDER BY number DESC LIMIT 1",
        {"id": id, "account": vote.voter.account},
    )
    now = (vote.verdict.value, vote.plan, vote.withdrawn_at is None, confirms)
    if last is not None and (last[0], last[1], last[2] is None, last[3]) == now:
        raise Taken(id)
    books.run(
        # The number is given here: one that the database gives is not known yet to the guard of the table.
        f"INSERT INTO {table} (number, {about}, account, voter, verdict, at, plan, reason, withdrawn_at, confirms)"
        f" VALUES ((SELECT coalesce(max(number), 0) + 1 FROM {table}), :id, :account, :voter, :verdict, :at, :plan,"
        " :reason, :withdrawn_at, :confirms)",
        {
            "id": id,
            "account": vote.voter.account,
            "voter": voter,
            "verdict": vote.verdict.value,
            "at": micros(vote.at),
            "plan": vote.plan,
            "reason": vote.reason,
            "withdrawn_at": _micros(vote.withdrawn_at),
            "confirms": confirms,
        },
    )


def _keep_freeze(books: Transaction, freeze: Freeze) -> None:
    row = books.one(f"{_FREEZE}, ended_at FROM freezes WHERE id = :id", {"id": freeze.id})
    if row is not None:
        before, ended_at = freeze_in(row[:-1]), row[-1]
        _same_record(before, freeze)
        if ended_at is not None or before.approved > freeze.approved:
            raise Taken(freeze.id)
    books.run(
        "INSERT INTO freezes (id, environment, service, starts_at, ends_at, reason, owner, exit_criteria, approved,"
        " lapses_at, fields) VALUES (:id, :environment, :service, :starts_at, :ends_at, :reason, :owner,"
        " :exit_criteria, :approved, :lapses_at, :fields) ON CONFLICT (id) DO UPDATE SET"
        " environment = excluded.environment, service = excluded.service, starts_at = excluded.starts_at,"
        " ends_at = excluded.ends_at, reason = excluded.reason, owner = excluded.owner,"
        " exit_criteria = excluded.exit_criteria, approved = excluded.approved, lapses_at = excluded.lapses_at,"
        " fields = excluded.fields",
        {
            "id": freeze.id,
            "environment": freeze.environment,
            "service": freeze.service,
            "starts_at": micros(freeze.starts_at),
            "ends_at": micros(freeze.ends_at),
            "reason": freeze.reason,
            "owner": freeze.owner,
            "exit_criteria": freeze.exit_criteria,
            "approved": int(freeze.approved),
            "lapses_at": _micros(freeze.lapses_at),
            "fields": json.dumps(dict(freeze.fields), ensure_ascii=False),
        },
    )


def _keep_exception(books: Transaction, exception: ExceptionRecord, data: str) -> None:
    row = books.one("SELECT data FROM exceptions WHERE id = :id", {"id": exception.id})
    if row is not None:
        before = _exceptions().validate_json(row[0])
        _same_record(before, exception)
        if (
            not set(before.used) <= set(exception.used)
            or before.granted_at not in {None, exception.granted_at}
            or before.revoked_at not in {None, exception.revoked_at}
        ):
            raise Taken(exception.id)
    books.run(
        "INSERT INTO exceptions (id, asked_at, ends_at, revoked_at, data) VALUES"
        " (:id, :asked_at, :ends_at, :revoked_at, :data) ON CONFLICT (id) DO UPDATE SET"
        " asked_at = excluded.asked_at, ends_at = excluded.ends_at, revoked_at = excluded.revoked_at,"
        " data = excluded.data",
        {
            "id": exception.id,
            "asked_at": micros(exception.asked_at),
            "ends_at": _micros(exception.ends_at),
            "revoked_at": _micros(exception.revoked_at),
            "data": data,
        },
    )


def _same_record(before: Freeze | ExceptionRecord, after: Freeze | ExceptionRecord) -> None:
    """`Conflict` where something else was asked for under the same id: neither may replace the other."""
    if hash_of(before) != hash_of(after):
        raise Conflict(f"Something else is called {after.id} already, so nothing was written; ask for it once more.")


def _keep_obligation(books: Transaction, obligation: Obligation, data: str) -> None:
    row = books.one("SELECT settled_at FROM obligations WHERE id = :id", {"id": obligation.id})
    settled_at = _micros(obligation.settled_at)
    if row is not None and row[0] not in {None, settled_at}:
        raise Taken(obligation.id)
    books.run(
        "INSERT INTO obligations (id, service, due_at, settled_at, data) VALUES"
        " (:id, :service, :due_at, :settled_at, :data) ON CONFLICT (id) DO UPDATE SET service = excluded.service,"
        " due_at = excluded.due_at, settled_at = excluded.settled_at, data = excluded.data",
        {
            "id": obligation.id,
            "service": obligation.service,
            "due_at": micros(obligation.due_at),
            "settled_at": settled_at,
            "data": data,
        },
    )


def _keep_hold(books: Transaction, hold: Hold) -> None:
    books.run(
        "INSERT INTO holds (id, service, environment, digest, since, reason) VALUES"
        " (:id, :service, :environment, :digest, :since, :reason)",
        {
            "id": hold.id,
            "service": hold.place.service,
            "environment": hold.place.environment,
            "digest": hold.digest,
            "since": micros(hold.since),
            "reason": hold.reason,
        },
    )


def _keep_good(books: Transaction, place: Place, good: KnownGood) -> None:
    """The newest that is known of that revision."""
    books.run(
        "INSERT INTO known_good (service, environment, revision, digest, verified_at, source, commit_sha, image) VALUES"
        " (:service, :environment, :revision, :digest, :verified_at, :source, :commit_sha, :image)"
        " ON CONFLICT (service, environment, revision) DO UPDATE SET digest = excluded.digest,"
        " verified_at = excluded.verified_at, source = excluded.source, commit_sha = excluded.commit_sha,"
        " image = CASE WHEN excluded.image = '' THEN known_good.image ELSE excluded.image END"
        " WHERE excluded.verified_at >= known_good.verified_at",
        {
            "service": place.service,
            "environment": place.environment,
            "revision": good.revision,
            "digest": good.digest,
            "verified_at": micros(good.verified_at),
            "source": good.source,
            "commit_sha": good.commit,
            "image": good.image,
        },
    )


def _keep_watched(books: Transaction, watched: Watched, data: str) -> None:
    """It stands there under the next number; `Taken` where the number is not the one that was read."""
    place = {"service": watched.place.service, "environment": watched.place.environment}
    written = books.run(
        "INSERT INTO watched_places (service, environment, number, data) VALUES"
        " (:service, :environment, :number + 1, :data) ON CONFLICT (service, environment) DO UPDATE SET"
        " number = excluded.number, data = excluded.data WHERE watched_places.number = :number",
        {**place, "number": watched.number, "data": data},
    )
    if written.rowcount != 1:
        raise Taken(str(watched.place))


def _keep_audited(books: Transaction, audited: Audited, data: str) -> None:
    """The same of a repository."""
    written = books.run(
        "INSERT INTO audited_repositories (repository, number, data) VALUES (:repository, :number + 1, :data)"
        " ON CONFLICT (repository) DO UPDATE SET number = excluded.number, data = excluded.data"
        " WHERE audited_repositories.number = :number",
        {"repository": audited.repository, "number": audited.number, "data": data},
    )
    if written.rowcount != 1:
        raise Taken(audited.repository)


def _keep_shown(books: Transaction, shown: Shown, data: str) -> None:
    """The newest look of its kind stands."""
    books.run(
        "INSERT INTO shown (service, environment, what, data) VALUES (:service, :environment, :what, :data)"
        " ON CONFLICT (service, environment, what) DO UPDATE SET data = excluded.data",
        {
            "service": shown.place.service,
            "environment": shown.place.environment,
            "what": shown.what,
            "data": data,
        },
    )


def _keep_tag(books: Transaction, tag: SeenTag) -> None:
    """What it named at first sight stands."""
    books.run(
        "INSERT INTO seen_tags (repository, name, service, commit_sha, digest, at) VALUES"
        " (:repository, :name, :service, :commit_sha, :digest, :at)"
        " ON CONFLICT (repository, name, service) DO NOTHING",
        {
            "repository": tag.repository,
            "name": tag.name,
            "service": tag.service,
            "commit_sha": tag.commit,
            "digest": tag.digest,
            "at": micros(tag.at),
        },
    )


def _keep_manifest(books: Transaction, manifest: ManifestRecord, data: str) -> None:
    books.run(
        "INSERT INTO manifests (operation, hash, environment, began_at, verified_at, data) VALUES"
        " (:operation, :hash, :environment, :began_at, :verified_at, :data) ON CONFLICT (operation) DO UPDATE SET"
        " verified_at = excluded.verified_at, data = excluded.data"
        " WHERE manifests.verified_at IS NULL AND manifests.hash = excluded.hash",
        {
            "operation": manifest.operation,
            "hash": manifest.manifest.hash,
            "environment": manifest.environment,
            "began_at": micros(manifest.began_at),
            "verified_at": _micros(manifest.verified_at),
            "data": data,
        },
    )


# Reading ------------------------------------------------------------------------------------------------------------

_VOTE = "SELECT voter, verdict, at, plan, reason, withdrawn_at, confirms"
VOTES = f"{_VOTE} FROM votes WHERE operation = :id ORDER BY number"
RECORD_VOTES = f"{_VOTE} FROM record_votes WHERE record = :id ORDER BY number"


def votes(rows: Iterable[Row]) -> tuple[Vote, ...]:
    """Every vote in the order of casting. A withdrawal has taken back all that human's votes on the same plan."""
    votes: list[Vote] = []
    for voter, verdict, at, plan, reason, withdrawn_at, confirms in rows:
        vote = Vote(
            _persons().validate_json(voter),
            Verdict(verdict),
            moment(at),
            plan,
            reason,
            _moment(withdrawn_at),
            frozenset(json.loads(confirms)),
        )
        if vote.withdrawn_at is not None:
            votes = [
                replace(earlier, withdrawn_at=earlier.withdrawn_at or vote.withdrawn_at)
                if _same_voter(earlier, vote) and earlier.plan == vote.plan
                else earlier
                for earlier in votes
            ]
        if not any(_same_vote(each, vote) for each in votes):
            votes.append(vote)
    return tuple(votes)


def _same_voter(one: Vote, other: Vote) -> bool:
    if one.voter.human is not None and one.voter.human == other.voter.human:
        return True
    return one.voter.account == other.voter.account


def _same_vote(one: Vote, other: Vote) -> bool:
    """The very vote, perhaps withdrawn since."""
    return (one.voter.account, one.at, one.plan, one.verdict, one.confirms) == (
        other.voter.account,
        other.at,
        other.plan,
        other.verdict,
        other.confirms,
    )


_FREEZE = (
    "SELECT id, environment, service, starts_at, ends_at, reason, owner, exit_criteria, approved, lapses_at, fields"
)
_ENDED = _FREEZE.replace("ends_at", "coalesce(ended_at, ends_at)")
FREEZES = (
    f"{_ENDED} FROM freezes WHERE ends_at > :at AND coalesce(ended_at, ends_at) > :at"
    " AND (approved = 1 OR lapses_at IS NULL OR lapses_at > :at) ORDER BY starts_at, id"
)
"""Those not over at `:at`; one that was ended early ends when it was."""
FREEZE = f"{_ENDED} FROM freezes WHERE id = :id"


def freeze_in(row: Row) -> Freeze:
    id, environment, service, starts_at, ends_at, reason, owner, exit_criteria, approved, lapses_at, fields = row
    return Freeze(
        id,
        environment,
        service,
        moment(starts_at),
        moment(ends_at),
        reason,
        owner,
        exit_criteria,
        approved=bool(approved),
        lapses_at=_moment(lapses_at),
        fields=json.loads(fields),
    )


EXCEPTIONS = (
    "SELECT data FROM exceptions WHERE (ends_at IS NULL OR ends_at > :at) AND (revoked_at IS NULL OR revoked_at > :at)"
    " ORDER BY asked_at, id"
)
EXCEPTION = "SELECT data FROM exceptions WHERE id = :id"


def exception(row: Row) -> ExceptionRecord:
    return _exceptions().validate_json(row[0])


OBLIGATIONS = (
    "SELECT data FROM obligations WHERE settled_at IS NULL"
    " AND (CAST(:service AS TEXT) IS NULL OR service IS NULL OR service = :service) ORDER BY due_at, id"
)


def obligation(row: Row) -> Obligation:
    return _obligations().validate_json(row[0])


HOLDS = (
    "SELECT id, service, environment, digest, since, reason FROM holds"
    " WHERE lifted_at IS NULL AND (CAST(:service AS TEXT) IS NULL OR service = :service) ORDER BY since, id"
)


def hold(row: Row) -> Hold:
    return Hold(row[0], Place(row[1], row[2]), Digest(row[3]), moment(row[4]), row[5])


REVISIONS = 1000  # that Cloud Run keeps of one service, https://docs.cloud.google.com/run/quotas
KNOWN_GOOD = (
    "SELECT revision, digest, verified_at, source, commit_sha, image FROM known_good"
    " WHERE service = :service AND environment = :environment ORDER BY verified_at DESC, revision"
    f" LIMIT {REVISIONS}"
)


def known_good(row: Row) -> KnownGood:
    return KnownGood(row[0], Digest(row[1]), moment(row[2]), row[3], None if row[4] is None else Sha(row[4]), row[5])


WATCHED = "SELECT data, number FROM watched_places ORDER BY service, environment"


def watched(row: Row) -> Watched:
    return replace(_watched().validate_json(row[0]), number=row[1])


AUDITED = "SELECT data, number FROM audited_repositories ORDER BY repository"


def audited(row: Row) -> Audited:
    return replace(_audited().validate_json(row[0]), number=row[1])


SHOWN = "SELECT data FROM shown WHERE service = :service ORDER BY environment, what"


def shown(row: Row) -> Shown:
    return _shown().validate_json(row[0])


_SEEN_TAG = "SELECT repository, name, service, commit_sha, digest, at FROM seen_tags WHERE repository = :repository"
NEWEST_TAGS = f"{_SEEN_TAG} ORDER BY at DESC, name, service LIMIT :limit"
SEEN_TAGS = f"{_SEEN_TAG} AND (name = :name OR commit_sha = :commit_sha) ORDER BY at, name, service"


def seen_tag(row: Row) -> SeenTag:
    return SeenTag(row[0], row[1], row[2], Sha(row[3]), Digest(row[4]), moment(row[5]))


MANIFESTS = "SELECT data FROM manifests WHERE environment = :environment ORDER BY began_at DESC, operation LIMIT 200"
"""More than anybody goes back over."""


def manifest(row: Row) -> ManifestRecord:
    return _manifests().validate_json(row[0])


def _micros(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else moment(microseconds)
