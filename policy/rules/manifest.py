"""Do several services go as one pinned set, and was it tested as that set?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from policy import done, wording
from policy.case import Case, Judge
from policy.evidence import Manifest
from policy.finding import Finding, Remedy, RemedyKind, met, not_applicable, unknown, unmet
from policy.gates import ManifestGate
from policy.model import Unknown, short


def one_tested_set(name: str, _: ManifestGate) -> Judge:
    """Each entry is pinned, meets its own gates and has what it depends on, and the tests ran against just this set."""
    one_service = not_applicable(name, "it is one service, not a set of several")

    def judge(case: Case) -> Finding:
        manifest = case.facts.evidence.manifest
        if type(manifest) is Unknown:
            return unknown(name, "{}", manifest.why)
        if manifest is None:
            return one_service
        troubles = tuple(_troubles(manifest))
        if not troubles:
            return met(name, "manifest {} was tested as it is", short(manifest.hash))
        return unmet(name, "{}", "; ".join(troubles), remedies=() if manifest.incomplete else _remedies(manifest))

    return judge


def _troubles(manifest: Manifest) -> Iterator[str]:
    if manifest.incomplete:
        yield f"the manifest lacks {wording.listed(manifest.incomplete)}; complete, it is another candidate"
    if manifest.tested != manifest.hash:
        ran = f"ran against {short(manifest.tested)}" if manifest.tested else "did not run"
        yield f"the integration tests {ran}, and the manifest is {short(manifest.hash)}"
    yield from manifest.unmet
    for library in manifest.unreleased:
        yield f"{library} is not released yet, and others wait for it"
    for library in manifest.uncoordinated:
        yield f"{library} breaks those who depend on it, and nobody says how they go together"


def _remedies(manifest: Manifest) -> tuple[Remedy, ...]:
    """What is to be done for this very set."""
    now = replace(manifest, tested=manifest.hash, unmet=(), unreleased=(), uncoordinated=())
    steps = []
    if manifest.unmet:
        steps.append("every entry meets its own gates")
    if manifest.unreleased:
        steps.append(f"release {wording.listed(manifest.unreleased)} first")
    if manifest.uncoordinated:
        steps.append(f"link a plan for {wording.listed(manifest.uncoordinated)}")
    if manifest.tested != manifest.hash:
        steps.append(f"the integration tests pass against {short(manifest.hash)}")
    return (Remedy(RemedyKind.EVIDENCE, "; ".join(steps), applied=done.seen(manifest=now)),)
