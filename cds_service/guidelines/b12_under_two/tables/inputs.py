"""Table IN: whether the record can be judged at all. Every row is independent."""

from __future__ import annotations

from msgspec import Struct

from cds_service.guidelines.tables import Row, Table, TableWords, some


class InputFacts(Struct, frozen=True):
    """Keys of needs that could not be obtained, that arrived in part only, and the names of those
    that are required and could not be obtained. ``unread`` when something was sent and not used
    that may not be left in silence. A patient who cannot be read never comes this far: such a
    call is answered with an error."""

    unreadable_patient: bool = False
    missing: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    unread: bool = False


def inputs_table(words: TableWords) -> Table[InputFacts, None]:
    f = InputFacts
    return Table.of(
        "inputs",
        InputFacts,
        (
            Row("IN-01", f.unreadable_patient, None),
            Row("IN-02", some(f.missing), None),
            Row("IN-03", some(f.required), None),
            Row("IN-04", some(f.incomplete), None),
            Row("IN-05", f.unread, None),
        ),
        words,
        first=False,
    )
