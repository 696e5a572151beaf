"""`python -m tests.trace`: which of our requirements are shown by tests, wait for something, are out of scope or open."""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict

from tests.trace.requirements import claims, known, later, out_of_scope


def main() -> None:
    """Prints the table, then what is covered by which tests, what waits for what, what is out of scope and why, and what is open."""
    parser = argparse.ArgumentParser(prog="python -m tests.trace", description=main.__doc__)
    parser.add_argument("--short", action="store_true", help="only the table")
    parser.add_argument("--json", action="store_true", help="everything, for machines")
    wanted = parser.parse_args()

    requirements, outside, waiting = known(), out_of_scope(), later()
    shown: dict[str, list[str]] = defaultdict(list)
    for claim in claims():
        if claim.requirement in requirements and claim.test not in shown[claim.requirement]:
            shown[claim.requirement].append(claim.test)
    left = [id for id in requirements if id not in shown and id not in outside and id not in waiting]

    if wanted.json:
        everything = {
            "requirements": len(requirements),
            "covered": {id: shown[id] for id in requirements if id in shown},
            "out_of_scope": {id: {"why": one.why, "ours": one.ours} for id, one in outside.items()},
            "later": {id: {"needs": one.needs, "why": one.why} for id, one in waiting.items()},
            "open": left,
        }
        print(json.dumps(everything, indent=1, ensure_ascii=False))
        return

    total, covered, put_off, out, opened = (
        Counter(requirements[id] for id in ids) for ids in (requirements, shown, waiting, outside, left)
    )
    width = max(map(len, total))
    print(f"{'class':{width}}  total  covered  later  out of scope  open")
    for name in total:
        print(
            f"{name:{width}}  {total[name]:5}  {covered[name]:7}  {put_off[name]:5}  {out[name]:12}  {opened[name]:4}"
        )
    tests = len({test for found in shown.values() for test in found})
    print(
        f"\n{len(shown)} of {len(requirements)} requirements are covered by {tests} tests; "
        f"{len(waiting)} wait for what is not built yet; {len(outside)} are out of scope; {len(left)} are open."
    )
    if wanted.short:
        return
    print("\nCovered")
    for id in requirements:
        if id in shown:
            print(f"  {id:7} " + f"\n{'':10}".join(shown[id]))
    print("\nLater")
    for needs in dict.fromkeys(one.needs for one in waiting.values()):
        ids = [id for id, one in waiting.items() if one.needs == needs]
        print(f"  {needs}: {waiting[ids[0]].why}\n{'':4}{' '.join(ids)}")
    print("\nOut of scope")
    for id, said in outside.items():
        print(f"  {id:7} {said.why}" + (f"\n{'':10}ours: {said.ours}" if said.ours else ""))
    print("\nOpen")
    for name in total:
        ids = [id for id in left if requirements[id] == name]
        if ids:
            print(f"  {name}: {' '.join(ids)}")


if __name__ == "__main__":
    main()
