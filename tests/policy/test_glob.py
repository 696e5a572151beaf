"""Patterns of names: within a part, across parts, and letter by letter."""

from __future__ import annotations

import pytest

from policy.glob import first_like, like


@pytest.mark.parametrize(
    ("pattern", "is_like", "is_not"),
    [
        ("auth/**", ["auth/session.py", "auth/a/b.py"], ["auth", "oauth/session.py", "src/auth/x.py", "auth_/x"]),
        ("**/migrations/**", ["migrations/1.sql", "a/migrations/1.sql", "a/b/migrations/c/1.sql"], ["migrations", "a/my_migrations/1"]),
        ("docs/*.md", ["docs/a.md", "docs/.md"], ["docs/a/b.md", "a.md", "docs/a.mdx"]),
        ("*.tf", ["run.tf"], ["infra/run.tf"]),
        ("**/*.tf", ["run.tf", "infra/run.tf", "infra/a/run.tf"], ["run.tfvars"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a/xb", "ab"]),
        ("release/*", ["release/1.4"], ["release", "release/1/2", "xrelease/1"]),
        ("v?", ["v1"], ["v", "v10", "v/"]),
        ("app/[id].tsx", ["app/[id].tsx"], ["app/i.tsx"]),
        ("a.b", ["a.b"], ["axb", "a.b\n", "\na.b"]),
        ("STAGE_*", ["STAGE_DB_URL", "STAGE_"], ["PROD_DB_URL", "MY_STAGE_X", "stage_x"]),
        ("**", ["", "a", "a/b"], []),
        ("*", ["", "a"], ["a/b"]),
    ],
)  # fmt: skip
def test_what_a_pattern_stands_for(pattern: str, is_like: list[str], is_not: list[str]) -> None:
    assert [name for name in is_like if not like(name, (pattern,))] == []
    assert [name for name in is_not if like(name, (pattern,))] == []


def test_any_of_several_patterns_and_none_of_none() -> None:
    assert like("web/app.tsx", ("auth/**", "web/**"))
    assert not like("web/app.tsx", ())
    assert not like("", ())
    assert first_like(["README.md", "web/a", "auth/b"], ("auth/**", "web/**")) == "web/a"
    assert first_like(["README.md"], ("auth/**",)) is None
    assert not like("auth/xweb/y", ("auth/x", "y"))
