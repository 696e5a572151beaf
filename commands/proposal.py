"""What do we write into the pull requests that we open? What they bring, and how it goes back."""

from __future__ import annotations

from commands import tell
from commands.notes import NOTHING, Notes, escaped
from commands.operation import Operation
from commands.plan import Plan, PlannedBranch
from policy.model import Sha, Unknown, short

TITLE_MAX = 200
"""GitHub takes 256 letters; nobody reads as many."""
NOTES, BACK = "Release notes", "Rollback plan"


def promotion(operation: Operation, plan: Plan, branch: PlannedBranch, brings: Notes | Unknown) -> tuple[str, str]:
    """Title and description of what leads from the one branch to the other.

    A section for each thing that was said of it, its release notes and its way back in any case.
    """
    title = f"Promote {branch.source} to {branch.target}: {plan.service} {short(plan.digest)}"
    found = NOTHING if isinstance(brings, Unknown) else brings.markdown(3)
    sections: dict[str, list[str]] = {NOTES: [], BACK: []}
    for key, said in plan.fields.items():
        sections.setdefault(tell.name(key.replace("_", "-")), []).append(_said(said))
    sections[NOTES].append(found)
    sections[BACK].append(
        f"Traffic of {plan.service} in {plan.target} goes back to `{plan.from_revision}` first. Then a pull request"
        f" takes this merge back from `{branch.target}`."
    )
    who = f"{operation.id}, asked for by {escaped(operation.asked_by.name)}"
    text = [f"{plan.service} goes from {plan.source} to {plan.target} with this: {who}."]
    text += [f"## {heading}\n\n" + "\n\n".join(one.strip() for one in said) for heading, said in sections.items()]
    return title[:TITLE_MAX], "\n\n".join(text) + "\n"


def revert(operation: Operation, plan: Plan, branch: PlannedBranch, merge: Sha, why: str) -> str:
    """Description of what takes a merge back."""
    by = f" (#{branch.pull_request})" if branch.pull_request else ""
    lost = (
        f"Once this is merged, `{branch.target}` counts {short(merge)} as merged and holds nothing of it: before"
        f" `{branch.source}` is promoted again, this revert must itself be reverted."
    )
    parts = (
        f"Takes back from `{branch.target}` what {merge}{by} brought from `{branch.source}`.",
        f"## Why\n\n{_said(why) or 'Nothing was said.'}",
        f"## What is done already\n\nTraffic of {plan.service} in {plan.target} has gone back ({operation.id}).",
        f"## What to know\n\n{lost}",
    )
    return "\n\n".join(parts) + "\n"


def _said(text: str) -> str:
    """Line by line, so that it stands there as it was said and does nothing."""
    return "\n".join(escaped(line) for line in text.splitlines()).strip()
