"""Every target; a reader without one fails tests/house/test_fuzz_targets.py."""

from tests.fuzz.interface import Target
from tests.fuzz.targets.beside_releases import BESIDE
from tests.fuzz.targets.documents import DOCUMENTS
from tests.fuzz.targets.evidence import EVIDENCE
from tests.fuzz.targets.hub import HUB
from tests.fuzz.targets.releases import RELEASES
from tests.fuzz.targets.reproductions import REPRODUCTIONS
from tests.fuzz.targets.reviews import REVIEWS
from tests.fuzz.targets.signatures import SIGNATURES
from tests.fuzz.targets.statements import STATEMENTS
from tests.fuzz.targets.texts import TEXTS
from tests.fuzz.targets.weights import WEIGHTS
from tests.fuzz.targets.whole import WHOLE

TARGETS: tuple[Target, ...] = (
    *DOCUMENTS,
    *RELEASES,
    *EVIDENCE,
    *TEXTS,
    *WEIGHTS,
    *SIGNATURES,
    *STATEMENTS,
    *HUB,
    *REVIEWS,
    *REPRODUCTIONS,
    *WHOLE,
    *BESIDE,
)
