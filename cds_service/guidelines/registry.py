"""The guidelines this program has. A new one is a line here."""

from __future__ import annotations

from cds_service.guidelines.b12_under_two import front as b12_under_two
from cds_service.guidelines.guideline import Known

#: In the order in which discovery shows their services.
GUIDELINES: tuple[Known, ...] = (b12_under_two.KNOWN,)

#: The guideline that is meant where none is named: in an overrides file without ids, and wherever
#: something was written or kept before there were others.
UNNAMED = b12_under_two.KNOWN.id
