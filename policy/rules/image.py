"""Does the image come from where images may come from?"""

from __future__ import annotations

from policy.case import Case
from policy.finding import Finding, met, unknown, unmet
from policy.gates import ImageGate
from policy.glob import like
from policy.model import Unknown


def image_allowed(name: str, gate: ImageGate, case: Case) -> Finding:
    """It is called like an image may be, and not as none may be. Only another candidate has another image."""
    image = case.facts.evidence.image
    if isinstance(image, Unknown):
        return unknown(name, "{}", image.why)
    if like(image, gate.forbid):
        return unmet(name, "{} is called like {}, as no image may be", image, " or ".join(gate.forbid))
    if like(image, gate.names):
        return met(name, "{} may be promoted", image)
    return unmet(name, "{} is not called like {}", image, " or ".join(gate.names))
