"""A day of calls and feedback of every kind, and the FHIR that `cds-service audit export` writes.

`exported(folder)` is what a validator should look at: one resource a line, of every shape that the
export can take.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from click.testing import CliRunner
from kept import accepted, call, card, evaluation, overridden
from msgspec import structs

from cds_service.__main__ import main
from cds_service.cdshooks.feedback import Feedback, Reason
from cds_service.store.audit import Call, Pseudonyms
from cds_service.store.keeping import Store

MORNING = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)
OURS = "https://b12-cds-service.github.io/CodeSystem/override-reason"
CARD = "0b1f0f5e-7a0e-5c43-9d10-3c3cbd6f1f0b"
SERVICE = "b12-under-two-patient-view"

#: One call an hour, each of another kind.
CALLS: dict[str, Call] = {
    "advice": call(card(CARD), card("not-a-uuid"), client="north", fhir_server="https://fhir.x/r4"),
    "nothing to say": call(hook_instance="MRN 12345 SECRET", evaluation=evaluation(missing=())),
    "not evaluated": call(evaluation=evaluation(outcome="not evaluated")),
    "refused": call(evaluation=None, status=400, problem="required", patient_id="", user_id=""),
    "failed": call(evaluation=None, status=500, problem="exception"),
    "suppressed": call(card("suppressed", hidden="overridden before"), client="north"),
    "challenger": call(
        evaluation=evaluation(card("tried", hidden="challenger"), arm="challenger", edition="2.0")
    ),
}

FEEDBACK: dict[str, Feedback] = {
    "accepted": accepted(CARD, f"{CARD}-s1", "0b1f0f5e-7a0e-5c43-9d10-3c3cbd6f1f0c"),
    "with a code": overridden(reasons=(Reason(OURS, "already-treated", "Already treated"),)),
    "with a bare code": overridden(reasons=(Reason(OURS, "already-treated"),)),
    "in words": overridden(reasons=(Reason(display="Clinical / Not now"),)),
    "with no code at all": overridden(
        reasons=(
            Reason("not a uri", " two  spaces ", "tab\tand \x1b[31mescape\n"),
            Reason("urn:x", "\x07", ""),
            Reason("", "code-without-system", ""),
        )
    ),
    "without a reason": overridden(reasons=(), comment="SECRET comment"),
    "on a card of no one": overridden("unknown"),
}


def play(url: str, pseudonyms: Pseudonyms) -> None:
    """Puts the day into the database at ``url``."""
    moment = MORNING

    def clock() -> float:
        return moment.timestamp()

    store = Store(url, pseudonyms=pseudonyms, overrides="[limits]\n# ours\n", clock=clock)
    try:
        for one in CALLS.values():
            store.record_consultation(one)
            moment += timedelta(hours=1)
        assert store.flush()
        for number, item in enumerate(FEEDBACK.values()):
            at = MORNING + timedelta(seconds=number)
            about = item.card if item.card in (CARD, "unknown") else CARD
            said = structs.replace(item, card=about, outcome_at=at)
            store.record_feedback(SERVICE, "north", [said])
            moment += timedelta(minutes=1)
    finally:
        store.close()


def export(url: str, *words: str) -> list[str]:
    done = CliRunner(env={"CDS_DATABASE_URL": url}).invoke(main, ["audit", "export", *words])
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def exported(folder: Path) -> list[str]:
    """The day as NDJSON, a resource each."""
    url = f"sqlite:///{folder}/trail.sqlite"
    play(url, Pseudonyms(b"the key of the trail"))
    return export(url)
