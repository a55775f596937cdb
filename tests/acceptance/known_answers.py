"""The children that a running service is asked about again and again, and their right answers.

``python tests/acceptance/known_answers.py`` writes `known_answers.json` of the guideline again: the
requests are those of the sample infants named here without what decides nothing, the answers are
what the service decides today. What it changed is then read and accepted or not; that each child
fires the rules its story expects, calculated by hand, is a test.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from cds_service.consultation import load_services
from cds_service.consultation.known_answers import decided
from cds_service.guidelines.b12_under_two.loading import FOLDER
from cds_service.guidelines.guideline import KnownCase

SAMPLES = Path(__file__).parents[2] / "fhir_samples" / "b12_under_two"
WRITTEN = FOLDER / "known_answers.json"

#: Each decides by something that the others do not.
CHILDREN = (
    "vegan-mother-low-b12-six-months",
    "exactly-two-hundred",
    "exactly-three-hundred",
    "haemoglobin-in-grams-per-litre",
    "infantile-spasms-low-level",
    "haemophilia-deep-subcutaneous",
    "cobalamin-c",
    "leber-with-hypotonia",
    "borderline-mma-high-functional",
    "neonate-low-level",
    "oral-therapy-partial-response",
    "order-sign-dose-2001",
    "order-sign-intramuscular-platelets-49",
    "order-select-oral-in-crohn",
)

#: What a recorded resource says in words, or about its file, decides nothing here.
_LEFT_OUT = frozenset(("meta", "fullUrl", "search", "name", "category", "total", "link"))

Json = dict[str, Any]


def bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: bare(one) for name, one in value.items() if name not in _LEFT_OUT}
    return [bare(one) for one in value] if isinstance(value, list) else value


def cases() -> list[Json]:
    services = {one.hook: one for one in load_services()}
    told = []
    for name in CHILDREN:
        folder = SAMPLES / name
        request = bare(json.loads((folder / "request.json").read_text()))
        on = json.loads((folder / "expected.json").read_text())["asOf"]
        case = {"name": name, "hook": request["hook"], "on": on, "request": request}
        known = KnownCase(
            name,
            case["hook"],
            date.fromisoformat(on),
            msgspec.Raw(json.dumps(request).encode()),
            {},
        )
        decision = decided(services[case["hook"]], known)
        told.append({**case, "accepted": msgspec.to_builtins(decision)})
    return told


def written() -> str:
    """The file's text: one line a request, the rest to be read."""
    parts = []
    for case in cases():
        head = {name: case[name] for name in ("name", "hook", "on")}
        lines = [f'"{name}": {json.dumps(value)}' for name, value in head.items()]
        lines.append(f'"request": {json.dumps(case["request"], separators=(",", ":"))}')
        answer = json.dumps(case["accepted"], indent=1)
        lines.append(f'"accepted": {answer}')
        parts.append("{\n" + ",\n".join(lines) + "\n}")
    return "[\n" + ",\n".join(parts) + "\n]\n"


if __name__ == "__main__":
    WRITTEN.write_text(written(), encoding="utf-8")
