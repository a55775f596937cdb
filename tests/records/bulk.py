"""Public records against the service: how much of them is used, how much said not to be read.

    make records ARGS="FOLDER [--said]"

``FOLDER`` has a folder for each country, with what its public guides hold of FHIR as JSON, NDJSON
or XML (docs/records.md says which were taken, and how). Each clinical resource is planted, alone,
into the record of a deficient infant: its subject and its days become the infant's. It is then

* **used**: read into the record as what it is,
* **said**: named in the account of the answer as not used, with the reason,
* **other**: understood as something that is not asked for, or not a result at all,
* **silent**: none of these. There may be none; each is printed, and the exit code is 1.

What a result is, is judged by its name, so that no code list is asked about itself.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Raw
from published import Found, Json, resources_in

from cds_service.clinical import Code, Record, Unread
from cds_service.consultation import load_services
from cds_service.fhir import editions, elements, wire
from cds_service.fhir.gather import gather
from cds_service.fhir.reading import read_record
from cds_service.guidelines.b12_under_two.results import as_compared

Fate = Literal["used", "said", "other", "silent"]

ON = date(2026, 3, 15)
SUBJECT = {"reference": "Patient/planted"}
PATIENT: Json = {"resourceType": "Patient", "id": "planted", "birthDate": "2025-09-01"}
LEVEL: Json = {
    "resourceType": "Observation",
    "id": "the-infants-own-level",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "2132-9"}]},
    "subject": SUBJECT,
    "effectiveDateTime": "2026-03-01",
    "valueQuantity": {"value": 150, "unit": "pg/mL"},
}

#: The need for which a resource of a type is sent.
NEEDS: Mapping[str, str] = {
    "Observation": "labs", "Condition": "conditions", "Procedure": "procedures",
    "MedicationRequest": "meds", "MedicationOrder": "meds", "MedicationStatement": "meds",
    "MedicationAdministration": "administrations", "AllergyIntolerance": "allergies",
    "ServiceRequest": "orders", "ProcedureRequest": "orders", "DiagnosticOrder": "orders",
    "FamilyMemberHistory": "family", "Task": "tasks",
}  # fmt: skip


class Named(NamedTuple):
    """How a kind of result is called, and what only sounds like it."""

    words: str
    not_so: str
    need: str = "labs"


_ELSEWHERE = r"urin|urn|sediment|stool|feces|faec|csf|fluid|vocht|sputum|sweat|semin|poor plasma"
RESULTS: Mapping[str, Named] = {
    "hemoglobin": Named(
        r"ha?emoglobin|hämoglobin|hémoglobine|emoglobina|hemoglobiini|ヘモグロビン|血色素|혈색소|\bhgb\b"
        r"|\bhb\b",
        rf"a1c|a1|glyc|glik|corpuscular|\bmean|\bmch|carboxy|met-?h|oxy|satur|f[o]?etal|electro"
        rf"|variant|\bfree\b|平均|ratio|plasma|retic|type|{_ELSEWHERE}",
    ),
    "mcv": Named(
        r"\bmcv\b|mean (?:corpuscular|cell) volume|erythrocyte mean volume", r"platelet|retic"
    ),
    "platelets": Named(
        r"platelet|thrombo[cz]yt|trombocy|trombosy|bloedplaat|plaquet|piastrin|血小板|혈소판",
        rf"mean.*volume|width|distribution|aggreg|antibod|large|giant|clump|平均|mpv|{_ELSEWHERE}",
    ),
    "leukocytes": Named(
        r"leu[ck]o[cz]yt|leukosyyt|leucocit|white (?:blood )?cell|witte bloedcel|\bwbc\b|白血球"
        r"|백혈구",
        rf"esterase|nucleated|/100|percent|diff|antig|neutro|lympho|mono|eosino|baso|{_ELSEWHERE}",
    ),
    "potassium": Named(
        r"potassium|kalium|potassio|potasio|potássio|カリウム|칼륨",
        rf"hydroxide|dialys|24|{_ELSEWHERE}",
    ),
    "b12_level": Named(
        r"vitamine? b-?12|vitamina b12|cobalamin|ビタミンb12|維生素b12",
        r"holo|bind|antib|intrinsic|supplement|transcobal",
        "b12",
    ),
    "weight": Named(
        r"body ?weight|^weight|gewicht|poids|\bpeso\b|体重|\bpaino\b|체중",
        r"birth|geboorte|ideal|percent|height|length|loss|gain|change|clothing|goal|target|z-score"
        r"|oxygen|bmi|index|f[o]?etal|method|device",
        "weight",
    ),
}  # fmt: skip
#: Codes of something else than their names in a guide say, each as it was read elsewhere.
NOT_AS_CALLED: Mapping[str, str] = {
    "10346-5": "LOINC's name: haemoglobin A by electrophoresis",
    "30405-5": "LOINC's name: leucocytes in urine",
    "813-6": "the specimen in the same file: synovial fluid",
}


# --- planting ------------------------------------------------------------------------------------


def planted(sent: Json) -> Json:
    """A resource as the infant's own, of the last days."""
    made: Json = {**json.loads(json.dumps(sent)), "id": sent.get("id") or "planted-resource"}
    shapes = [shape for shape in editions.SHAPES if shape.type == made["resourceType"]]
    usual = {"Task": "for", "FamilyMemberHistory": "patient"}.get(made["resourceType"])
    subjects = {*editions.SUBJECTS, "for"} & made.keys()
    for name in subjects or {usual or shapes[-1].subject}:
        made[name] = SUBJECT
    for name in ("focus", "text"):
        made.pop(name, None)
    for name in {
        name for one in shapes for name in (*one.when, *one.noted, *one.due, *one.ended)
    } & made.keys():
        made[name] = _lately(made[name])
    return made


_DAY = re.compile(r"(?:(?:19|20)\d\d((?:-\d\d){0,2})|(\$\{[^}]*\}))(.*)", re.DOTALL)
_LATELY = "2026-03-10"


def _lately(sent: Any) -> Any:
    """Days of this month for those that a guide has, as precise as they were; also for the marks
    that scripts of tests put where a day will be."""
    if isinstance(sent, dict):
        return {name: _lately(one) for name, one in sent.items()}
    if isinstance(sent, list):
        return [_lately(one) for one in sent]
    found = _DAY.fullmatch(sent) if isinstance(sent, str) else None
    if found is None:
        return sent
    return (_LATELY if found[2] else _LATELY[: 4 + len(found[1])]) + found[3]


# --- what it is ----------------------------------------------------------------------------------


def kind_of(sent: Json) -> str:
    """What a result is by its name, or "other result"; of another resource its type."""
    if sent["resourceType"] == "Condition":
        known = any(elements.is_known(one.system) for one in _codes(sent.get("code")))
        return "Condition in a system known here" if known else "Condition otherwise"
    if sent["resourceType"] != "Observation":
        return str(sent["resourceType"])
    codings = _codings(sent.get("code"))
    if not any(one.get("code") in NOT_AS_CALLED for one in codings):
        text = sent["code"].get("text") if isinstance(sent.get("code"), dict) else ""
        names = " | ".join(
            str(one) for one in (text, *(it.get("display") for it in codings)) if one
        )
        for kind, named in RESULTS.items():
            if re.search(named.words, names, re.I) and not re.search(named.not_so, names, re.I):
                return kind
    return "other result"


def _codes(concept: Any) -> tuple[Code, ...]:
    return elements.codes(msgspec.convert({"coding": _codings(concept)}, wire.Concept))


def _codings(concept: Any) -> list[Json]:
    codings = concept.get("coding") if isinstance(concept, dict) else None
    return [one for one in codings if isinstance(one, dict)] if isinstance(codings, list) else []


#: Such a result is none yet, or was none.
_NO_RESULT = frozenset({"entered-in-error", "cancelled", "registered", "preliminary"})
#: Such a thing is over, or never was.
_OVER = frozenset({
    "entered-in-error", "completed", "cancelled", "failed", "rejected", "health-unknown",
})  # fmt: skip
_ORDERED_TESTS = frozenset({"ServiceRequest", "ProcedureRequest", "DiagnosticOrder"})


def has_a_result(sent: Json) -> bool:
    """Whether it has a number, and a day on which that was so."""
    dated = any(name.startswith("effective") for name in sent) or "issued" in sent
    return dated and "valueQuantity" in sent and sent.get("status") not in _NO_RESULT


# --- what becomes of it --------------------------------------------------------------------------


class Judge:
    """Asks the service, with the medications at hand that others only refer to."""

    def __init__(self, medications: Mapping[str, Json]) -> None:
        self._service = load_services()[0]
        self._medications = medications

    def fate(self, kind: str, sent: Json) -> Fate:
        need = RESULTS[kind].need if kind in RESULTS else NEEDS[sent["resourceType"]]
        record, unread = self._read(need, sent)
        if kind in RESULTS and self._is_read(kind, sent, record):
            return "used"
        if any(one.need == need and one.reason not in ("flag", "range") for one in unread):
            return "said"
        if kind in RESULTS:
            return "silent" if has_a_result(sent) else "other"
        if kind == "other result" or sent["resourceType"] in _ORDERED_TESTS:
            return "other"
        source = f"{sent['resourceType']}/{sent['id']}"
        things = (*record.problems, *record.medications, *record.procedures, *record.allergies,
                  *record.relatives)  # fmt: skip
        if record.tasks or any(one.source == source for one in things):
            return "used"
        return "other" if sent.get("status") in _OVER else "silent"

    def _read(self, need: str, sent: Json) -> tuple[Record, tuple[Unread, ...]]:
        needs = self._service.needs
        named = json.dumps(sent)
        beside = [one for name, one in self._medications.items() if f'"{name}"' in named]
        prefetch = {one.key: Raw(b"null") for one in needs}
        prefetch["patient"] = Raw(json.dumps(PATIENT).encode())
        prefetch["b12"] = bundle_of([LEVEL])
        prefetch[need] = bundle_of([sent, *beside, *([LEVEL] if need == "b12" else [])])
        record = read_record(gather(needs, prefetch, PATIENT["id"], None), needs, PATIENT["id"])
        return record, self._service.guideline.evaluate(record, ON).unread

    def _is_read(self, kind: str, sent: Json, record: Record) -> bool:
        """Whether it is there as a number of its kind, in a unit that compares, with a day,
        plausible in an infant or not."""
        g = self._service.guideline
        lists = {kind, "weight_estimated"} if kind == "weight" else {kind}
        return any(
            one.source == f"Observation/{sent['id']}"
            and one.value is not None
            and one.when is not None
            and as_compared(kind, one.value, g.data) is not None  # type: ignore[attr-defined]
            and any(lists.intersection(g.lists_of(code)) for code in one.codes)
            for one in record.measurements
        )


def bundle_of(resources: Iterable[Json]) -> Raw:
    entries = [{"resource": one} for one in resources]
    return Raw(json.dumps({"resourceType": "Bundle", "entry": entries}).encode())


def judged(found: Iterable[Found], medications: Mapping[str, Json]) -> Iterator[
    tuple[str, Fate, Found]
]:  # fmt: skip
    """Each clinical resource with what it is and what becomes of it; copies of one once."""
    judge = Judge(medications)
    seen = set()
    for one in found:
        if one.resource["resourceType"] not in NEEDS:
            continue
        sent = planted(one.resource)
        content = json.dumps({**sent, "id": ""}, sort_keys=True)
        if content not in seen:
            seen.add(content)
            kind = kind_of(sent)
            fate = judge.fate(kind, sent)
            nothing = kind in RESULTS and fate != "used" and not has_a_result(sent)
            yield "a result without a number or a day" if nothing else kind, fate, one


# --- telling -------------------------------------------------------------------------------------


def table_of(counts: Mapping[tuple[str, str, Fate], int]) -> Iterator[str]:
    """By kind, in Markdown: how many of each fate, the share that is used, and the countries."""
    yield "| kind | used | said | other | silent | used of all asked for | used, said by country |"
    yield "|---|---|---|---|---|---|---|"
    for kind in sorted({kind for kind, _, _ in counts}, key=str.lower):
        by: dict[str, Counter[str]] = {}
        for (of, country, fate), count in counts.items():
            if of == kind:
                by.setdefault(country, Counter())[fate] += count
        total = sum(by.values(), Counter[str]())
        asked = total["used"] + total["said"] + total["silent"]
        share = f"{100 * total['used'] / asked:.1f} %" if asked and total["used"] else ""
        places = ", ".join(
            f"{country} {of['used']}, {of['said']}"
            for country, of in sorted(by.items())
            if of["used"] + of["said"]
        )
        numbers = " | ".join(str(total[fate]) for fate in ("used", "said", "other", "silent"))
        yield f"| {kind} | {numbers} | {share} | {places} |"


def line_of(kind: str, fate: Fate, found: Found) -> str:
    sent = found.resource
    concept = next(
        (sent[name] for name in ("code", "medicationCodeableConcept") if name in sent), {}
    )
    codes = [f"{one.get('system')}|{one.get('code')}" for one in _codings(concept)]
    names = [str(one.get("display")) for one in _codings(concept)][:1]
    value = (
        [json.dumps(sent["valueQuantity"], ensure_ascii=False)] if "valueQuantity" in sent else []
    )
    return " ; ".join([fate, kind, found.file, *codes, *names, *value, str(sent.get("status", ""))])


def main() -> int:
    first, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=first, epilog=rest, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--said", action="store_true", help="print what was not used as well")
    options = parser.parse_args()
    everything = list(resources_in(options.folder))
    medications = {
        f"Medication/{one.resource['id']}": one.resource
        for one in everything
        if one.resource["resourceType"] == "Medication" and "id" in one.resource
    }
    counts: Counter[tuple[str, str, Fate]] = Counter()
    for kind, fate, found in judged(everything, medications):
        counts[kind, found.country, fate] += 1
        if fate == "silent" or (options.said and fate == "said"):
            print(line_of(kind, fate, found))
    print("\n".join(table_of(counts)))
    countries = {country for _, country, _ in counts}
    print(f"{sum(counts.values())} clinical resources of {len(countries)} countries")
    return 1 if any(fate == "silent" for _, _, fate in counts) else 0


if __name__ == "__main__":
    sys.exit(main())
