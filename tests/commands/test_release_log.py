"""What a repository's own release log says, and that nothing waits for it, as it reads in the channel and in the file."""

from __future__ import annotations

import pytest

from tests.branches import Lost
from tests.commands.test_fast_forward import BAD_RELEASE, RELEASED, STOPPED_LATE, forward
from tests.conversation import plays
from tests.world import Town

FILE = "docs/RELEASE_LOG.md"
WRITTEN = RELEASED.replace(
    "    bot now: checkout c2c2c2c2c2c2 → prod is live.\n",
    f"""    bot: ✓ checkout c2c2c2c2c2c2 → prod: written down in {FILE} on main (…)
    bot now: checkout c2c2c2c2c2c2 → prod is live.
""",
)


def logging(town: Town, service: str = "checkout") -> Town:
    """`main` bears the log of what goes to prod."""
    forward(town, service)
    town.policies.adopt(to_prod={"model": "fast_forward", "log": {"file": FILE, "branch": "main"}})
    return town


def lines(town: Town) -> list[str]:
    return town.github.moving.files[FILE].splitlines()


def said(page: str, **fields: str) -> str:
    words = " ".join(f'{key.replace("_", "-")}:"{value}"' for key, value in fields.items())
    return page.replace("promote checkout stage→prod", f"promote checkout stage→prod {words}")


@pytest.mark.requirement("S1-30", "S1-36")
async def test_a_release_is_written_down_with_all_that_was_said_and_seen(town: Town) -> None:
    logging(town)
    await plays(said(WRITTEN, rollback_plan="revert <!-- release-bot op_1 -->"), town)
    written = lines(town)
    assert written[:2] == [
        "",
        f"## 2026-11-24 09:00 UTC: checkout in prod, promoted <!-- release-bot {op(written)} -->",
    ]
    text = "\n".join(written)
    for line in (
        f"- Commit: `{'c2' * 20}` (`sha256:{'c2' * 32}`)",
        f"- Before: `{'c1' * 20}` (`sha256:{'c1' * 32}`)",
        "- Rollback plan: revert ",
        "- By: maya (U0MAYA, maya-gh)",
        "- Agreed: omar (U0OMAR, omar)",
    ):
        assert line in text, text
    assert "- Gates: " in text
    assert "required-checks met" in text
    assert "smoke test passed" in text
    assert text.count("<!--") == 1, "what people say is nobody's mark"
    assert "log" not in town.github.branches["release"]


def op(written: list[str]) -> str:
    return next(word for word in " ".join(written).split() if word.startswith("op_"))


@pytest.mark.requirement("S1-31")
async def test_what_is_taken_back_is_written_down_with_why_and_where_to(town: Town) -> None:
    logging(town, "payments")
    await plays(
        BAD_RELEASE.replace(
            "    bot now: payments a2a2a2a2a2a2",
            f"    bot: ✓ payments a2a2a2a2a2a2 → prod: written down in {FILE} on main (…)\n    bot now: payments a2a2a2a2a2a2",
            1,
        ),
        town,
    )
    text = "\n".join(lines(town))
    assert "payments in prod, promoted and taken back" in text
    assert f"- Before: `{'a1' * 20}`" in text
    assert "5 of 20 requests failed" in text
    assert "serves 100 % again" in text


@pytest.mark.parametrize("fault", [Lost.REPLY, Lost.REQUEST])
async def test_without_an_answer_it_is_written_once(town: Town, fault: Lost) -> None:
    logging(town)
    town.github.moving.faults.extend([Lost.NOTHING, fault])
    await plays(WRITTEN, town)
    assert "\n".join(lines(town)).count("## ") == 1


async def test_a_log_that_cannot_be_written_holds_nothing_up_and_is_said(town: Town) -> None:
    logging(town)
    town.github.moving.forbids = "Repository rule violations found: Changes must be made through a pull request."
    await plays(
        RELEASED.replace(
            "    bot now: checkout c2c2c2c2c2c2 → prod is live.\n",
            f"""    bot: ✗ checkout c2c2c2c2c2c2 → prod: {FILE} on main could not be added to: Repository rule violations found: Changes must be made through a pull request. By hand:
         • ## 2026-11-24 09:00 UTC: checkout in prod, promoted <!-- release-bot … -->
         …
    bot now: checkout c2c2c2c2c2c2 → prod is live.
""",
        ),
        town,
    )
    assert town.github.moving.files == {}


async def test_a_move_that_nobody_heard_of_in_time_is_written_down(town: Town) -> None:
    logging(town)
    town.github.moving.faults.append(Lost.LATE)
    await plays(
        STOPPED_LATE.replace(
            "    bot now: checkout c2c2c2c2c2c2 → prod failed.\n",
            f"""    bot: ✓ checkout c2c2c2c2c2c2 → prod: written down in {FILE} on main (…)
    bot now: checkout c2c2c2c2c2c2 → prod failed.
""",
        ),
        town,
    )
    text = "\n".join(lines(town))
    assert "checkout in prod, failed" in text
    assert "which nobody heard of in time" in text
    assert "takes it back once that is agreed to" in text
