"""Fetches the real programs that the tests need.

    python -m tests.support.parts install    fetch what is missing, below one cache folder
    python -m tests.support.parts list       say what is where, or why it is not

Nothing is installed into the system, no service is started, and root is not needed.
"""

from tests.support.parts.account import demotion, hand_over
from tests.support.parts.catalogue import BUNDLES
from tests.support.parts.npm import MAJORS
from tests.support.parts.part import Part
from tests.support.parts.store import parts_of

__all__ = ["MAJORS", "Part", "demotion", "find", "hand_over"]


def find(name: str) -> Part:
    """Return the part *name*: where it is, or why it cannot be had."""
    bundle = next(bundle for bundle in BUNDLES if name in bundle.parts)
    return next(part for part in parts_of(bundle) if part.name == name)
