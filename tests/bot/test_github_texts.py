"""What is read in CODEOWNERS, in pull requests and in commits' messages."""

from __future__ import annotations

import pytest

from bot.github import codeowners, written

# The example of https://docs.github.com/repositories, "about code owners".
EXAMPLE = r"""
# This is a comment.
*       @global-owner1 @Global-Owner2
*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/* docs@example.com
apps/ @octocat
/scripts/ @doctocat @octocat
**/logs @octocat
/apps/github
/with\ space/ @spacer
!/apps/main @nobody
/a[bc] @nobody
\#hash @nobody
src/**/gen @gen
/vendor/** @vendor
/only/this?.md @one
"""


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("anything/at/all.py", ("@global-owner1", "@global-owner2")),
        ("deep/down/x.js", ("@js-owner",)),
        ("x.go", ("docs@example.com",)),
        ("a.txt", ("@octo-org/octocats",)),
        ("build/logs/today/one", ("@octocat",)),  # also a `logs` anywhere, which stands later
        ("docs/getting-started.md", ("docs@example.com",)),
        ("docs/build-app/troubleshooting.md", ("@global-owner1", "@global-owner2")),
        ("other/docs/here.md", ("@global-owner1", "@global-owner2")),
        ("some/apps/x.js", ("@octocat",)),
        ("apps/x.js", ("@octocat",)),
        ("scripts/a/b", ("@doctocat", "@octocat")),
        ("my/scripts/a", ("@global-owner1", "@global-owner2")),
        ("deeply/nested/logs", ("@octocat",)),
        ("apps/github", ()),
        ("apps/github/x.js", ()),
        ("with space/x", ("@spacer",)),
        ("apps/main", ("@octocat",)),
        ("ab", ("@global-owner1", "@global-owner2")),
        ("#hash", ("@global-owner1", "@global-owner2")),
        ("src/gen", ("@gen",)),
        ("src/a/b/gen/x", ("@gen",)),
        ("vendor/a/b", ("@vendor",)),
        ("vendor", ("@global-owner1", "@global-owner2")),
        ("only/this1.md", ("@one",)),
        ("only/this12.md", ("@global-owner1", "@global-owner2")),
        ("Apps/x", ("@global-owner1", "@global-owner2")),
    ],
)
def test_the_last_line_that_fits_a_path_names_its_owners(path: str, owners: tuple[str, ...]) -> None:
    assert codeowners.owners(codeowners.lines(EXAMPLE), path) == owners


def test_where_nothing_fits_nobody_owns() -> None:
    assert codeowners.owners(codeowners.lines("/src/ @a\n"), "docs/x") == ()
    assert codeowners.owners((), "docs/x") == ()


def test_sections_are_what_people_wrote_under_the_headings() -> None:
    body = """Before any heading.\r
## Summary
Adds an export.
## Rollback plan
<!-- How do we get back?
## Not a heading -->
Revert #41.

```
# no heading either
make rollback
```
### Steps
### Risk assessment ###
<!-- low, medium, high -->
## Testing evidence
- [ ] unit
* [ ] integration
## Security & compliance
- [ ] done
- [x] N/A: text only
##NoHeading
## Summary
again
# Rollout plan
## Steps
One by one.
# Release notes
<!-- what do people
"""
    assert written.sections(body) == {
        "summary": "Adds an export.",
        "rollback_plan": "Revert #41.\n\n```\n# no heading either\nmake rollback\n```\n### Steps\n### Risk assessment ###",
        "security_compliance": "- [ ] done\n- [x] N/A: text only\n##NoHeading",
        "rollout_plan": "## Steps\nOne by one.",
        "steps": "One by one.",
    }
    assert written.sections("") == {}


def test_where_a_commit_was_picked_from_and_what_it_takes_back() -> None:
    one, two = "1" * 40, "2" * 40
    message = f"Fix\n\n(cherry picked from commit {one})\n(cherry picked from commit {two})"
    assert written.picked_from(message) == two
    assert list(written.origins(message)) == [one, two]
    assert written.picked_from(f"Not so: (cherry picked from commit {one})") is None
    assert list(written.reverts(f'Revert "x"\n\nThis reverts commit {one}, reversing\nchanges made to {two}.')) == [one]
    assert list(written.reverts(f"As said, This reverts commit {one}")) == []


@pytest.mark.parametrize(
    ("message", "breaks"),
    [
        ("feat!: drop v1", True),
        ("feat(api)!: drop v1", True),
        ("feat: new\n\nBREAKING CHANGE: v1 is gone", True),
        ("feat: new\n\nBREAKING-CHANGE: v1 is gone", True),
        ("feat: no BREAKING CHANGE: here", False),
        ("feat: new\n\nfix!: not a title", False),
        ("wow!", False),
    ],
)
def test_a_commit_says_that_it_breaks(message: str, breaks: bool) -> None:
    assert written.breaks(message) is breaks
