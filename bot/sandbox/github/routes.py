"""Which module answers which request? An area is one module and one line here."""

from __future__ import annotations

from bot.sandbox.github import (
    apps,
    attestations,
    checks,
    deployments,
    environments,
    files,
    forks,
    graph_writes,
    history,
    issues,
    objects,
    packages,
    people,
    protection,
    pulls,
    refs,
    release_notes,
    releases,
    reviews,
    rulesets,
    workflows,
)
from bot.sandbox.github.call import Route

# The first that fits answers; the last routes of `protection` and `history` take what the others leave.
ROUTES: tuple[Route, ...] = (
    *apps.ROUTES,
    *graph_writes.ROUTES,
    *refs.ROUTES,
    *objects.ROUTES,
    *files.ROUTES,
    *checks.ROUTES,
    *deployments.ROUTES,
    *environments.ROUTES,
    *attestations.ROUTES,
    *release_notes.ROUTES,
    *releases.ROUTES,
    *pulls.ROUTES,
    *reviews.ROUTES,
    *issues.ROUTES,
    *people.ROUTES,
    *workflows.ROUTES,
    *packages.ROUTES,
    *forks.ROUTES,
    *rulesets.ROUTES,
    *protection.ROUTES,
    *history.ROUTES,
)
