"""The guidelines this program has. A new one is a line here."""

from __future__ import annotations

from cds_service.guidelines.b12_under_two import front as b12_under_two
from cds_service.guidelines.guideline import Known

#: In the order in which discovery shows their services.
GUIDELINES: tuple[Known, ...] = (b12_under_two.KNOWN,)
