"""Does the image come from where images may come from?"""

from __future__ import annotations

from policy.case import Case, Judge
from policy.finding import Finding, met, unknown, unmet
from policy.gates import ImageGate
from policy.glob import alike
from policy.model import Unknown


def image_allowed(name: str, gate: ImageGate) -> Judge:
    """It is called like an image may be, and not as none may be. Only another candidate has another image."""
    forbidden, allowed = alike(gate.forbid) if gate.forbid else None, alike(gate.names)

    def judge(case: Case) -> Finding:
        image = case.facts.evidence.image
        if type(image) is Unknown:
            return unknown(name, "{}", image.why)
        if forbidden is not None and forbidden(image):
            return unmet(name, "{} is called like {}, as no image may be", image, " or ".join(gate.forbid))
        if allowed(image):
            return met(name, "{} may be promoted", image)
        return unmet(name, "{} is not called like {}", image, " or ".join(gate.names))

    return judge
