"""What was published, and what is it made of? https://docs.github.com/rest/packages, …/rest/dependency-graph/sboms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from bot.sandbox.github import shapes
from bot.sandbox.github.call import Answer, Call, Route, not_found
from bot.sandbox.github.records import PackageVersion

TYPES = frozenset({"npm", "maven", "rubygems", "docker", "nuget", "container"})
_PINNED = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[\w,.-]*\])?==([\w.+!-]+)", re.MULTILINE)


async def versions(call: Call) -> Answer:
    """Newest first."""
    organisation, kind, name = call.words["org"], call.words["type"], call.words["name"]
    found = call.books.packages.get((organisation, kind, name))
    if found is None or kind not in TYPES:
        raise not_found()
    gone = call.query.get("state") == "deleted"
    home = f"{call.books.url}/orgs/{organisation}/packages/{kind}/{name}"
    web = f"{call.books.url}/orgs/{organisation}/packages/{kind}/package/{name}"
    return call.page([_shown(one, kind, home, web) for one in reversed(found) if one.deleted is gone])


def _shown(made: PackageVersion, kind: str, home: str, web: str) -> dict[str, Any]:
    at = shapes.moment(made.at)
    metadata: dict[str, Any] = {"package_type": kind}
    if kind == "container":
        metadata["container"] = {"tags": list(made.tags)}
    return {
        "id": made.id,
        "name": made.name,
        "url": f"{home}/versions/{made.id}",
        "package_html_url": web,
        "html_url": f"{web}/{made.id}",
        "created_at": at,
        "updated_at": at,
        "metadata": metadata,
        **({"deleted_at": at} if made.deleted else {}),
    }


async def sbom(call: Call) -> Answer:
    """SPDX of what the default branch pins. It is about the repository, and proves nothing of any artifact."""
    git, repository = call.repository.git, call.repository
    commit = await git.commit_of(repository.default_branch)
    if commit is None:
        raise not_found()
    _, listed = await git.run("ls-tree", "--name-only", commit)
    files = sorted(name for name in listed.splitlines() if re.fullmatch(r"requirements[\w-]*\.(txt|lock)", name))
    texts = [(await git.run("show", f"{commit}:{name}"))[1] for name in files]
    pinned = dict.fromkeys(pair for text in texts for pair in _PINNED.findall(text))
    packages = [_package(repository.full_name, "", f"pkg:github/{repository.full_name}@{repository.default_branch}")]
    packages += [_package(name, version, f"pkg:pypi/{name.lower()}@{version}") for name, version in pinned]
    document = {
        "SPDXID": "SPDXRef-DOCUMENT",
        "spdxVersion": "SPDX-2.3",
        "creationInfo": {"created": shapes.moment(call.books.now()), "creators": ["Tool: GitHub.com-Dependency-Graph"]},
        "name": f"com.github.{repository.full_name}",
        "dataLicense": "CC0-1.0",
        "documentNamespace": f"https://spdx.org/spdxdocs/protobom/{commit}",
        "packages": packages,
        "relationships": list(_relations(packages)),
    }
    return Answer(200, {"sbom": document})


def _package(name: str, version: str, locator: str) -> dict[str, Any]:
    reference = {
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": locator,
    }
    return {
        "SPDXID": "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", locator),
        "name": name,
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "externalRefs": [reference],
    }


def _relations(packages: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
    root, *others = (package["SPDXID"] for package in packages)
    yield {"relationshipType": "DESCRIBES", "spdxElementId": "SPDXRef-DOCUMENT", "relatedSpdxElement": root}
    for other in others:
        yield {"relationshipType": "DEPENDS_ON", "spdxElementId": root, "relatedSpdxElement": other}


ROUTES = (
    Route("GET", "/orgs/{org}/packages/{type}/{name}/versions", versions),
    Route("GET", "/repos/{owner}/{repo}/dependency-graph/sbom", sbom, "contents"),
)
