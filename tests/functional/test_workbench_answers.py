"""What the workbench gets from the service: pages, setup, reasoning, requests from Bundles."""

from __future__ import annotations

import html
import json
import re
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fhir_server_stub import FhirStub
from flask import Flask
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.consultation import load_services
from cds_service.consultation.cards import RULES_EXTENSION
from cds_service.guidelines import b12_under_two as b12
from cds_service.guidelines.b12_under_two.age import add_months
from cds_service.guidelines.b12_under_two.tables import blood
from cds_service.guidelines.engine import Limit
from cds_service.settings import Settings
from cds_service.workbench import pages
from cds_service.workbench.showing import markdown_tree, stretches

STORIES = Path(__file__).parents[2] / "fhir_samples" / "b12_under_two"
STORY = STORIES / "vegan-mother-low-b12-six-months"
ON = "2026-03-12"
PATIENT_VIEW = "b12-under-two-patient-view"
SERVICES = load_services()
G = SERVICES[0].guideline.data
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@cache
def _app(**settings: Any) -> Flask:
    chosen = {"demo": True, "as_of": date.fromisoformat(ON), **settings}
    return create_app(Settings(**chosen), SERVICES)


def client(**settings: Any) -> FlaskClient:
    return _app(**settings).test_client()


def explained(request: bytes, on: str = "", hook: str = "patient-view") -> Any:
    query = f"?on={on}" if on else ""
    answer = client().post(f"/workbench/explain/b12-under-two-{hook}{query}", data=request)
    assert answer.status_code == 200, answer.data
    return json.loads(answer.data)


def fired(told: Any) -> set[str]:
    rows = [row for table in told["tables"] for row in table["rows"]]
    return {row["rule"] for row in rows if row["state"] == "fired"}


# --- pages ---------------------------------------------------------------------------------------


def test_a_browser_gets_the_page_and_a_program_the_json() -> None:
    page = client().get("/", headers=BROWSER)
    assert page.mimetype == "text/html"
    assert b"B12 workbench" in page.data
    for accepts in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        told = client().get("/", headers=accepts)
        assert told.mimetype == "application/json"
        assert json.loads(told.data)["discovery"]
        assert "Accept" in told.headers["Vary"]
    assert "Accept" in page.headers["Vary"]


def test_it_can_be_taken_away_whole() -> None:
    without = client(workbench=False)
    assert without.get("/", headers=BROWSER).mimetype == "application/json"
    for path in ("/guideline", "/workbench/setup", "/workbench/main.js"):
        assert without.get(path).status_code == 404
    for path in (f"/workbench/explain/{PATIENT_VIEW}", "/workbench/request"):
        assert without.post(path, data=b"{}").status_code == 404


def test_where_clients_are_registered_there_is_none(tmp_path: Path) -> None:
    register = tmp_path / "clients.toml"
    register.write_text(
        '[[clients]]\nname = "north"\nissuer = "https://ehr.north.example.org"\n'
        'jwks_url = "https://ehr.north.example.org/jwks.json"\n',
        encoding="utf-8",
    )
    guarded = client(clients_file=register, public_url="https://cds.example.org")
    assert guarded.get("/", headers=BROWSER).mimetype == "application/json"
    assert guarded.post(f"/workbench/explain/{PATIENT_VIEW}", data=b"{}").status_code == 404
    assert guarded.get("/workbench/main.js").status_code == 404
    # What has no patient in it is there for the cards that link to it.
    assert guarded.get("/guideline").data == client().get("/guideline").data
    assert guarded.get("/workbench/style.css").status_code == 200


def test_a_card_links_to_all_that_its_rule_says() -> None:
    request = json.loads((STORY / "request.json").read_bytes())
    for public_url, base in (("", "http://localhost"), ("https://cds.example.org",) * 2):
        site = client(public_url=public_url)
        cards = site.post(f"/cds-services/{PATIENT_VIEW}", json=request).json["cards"]
        for card in cards:
            address, _, part = card["links"][0]["url"].partition("#")
            assert address == f"{base}/guideline"
            assert card["links"][0]["type"] == "absolute"
            assert f'<a id="{part}"></a>' in page_of_the_guideline()
        assert [card["links"][0]["url"].partition("#")[2] for card in cards][:1] == ["RTE-07"]
    without = client(workbench=False).post(f"/cds-services/{PATIENT_VIEW}", json=request)
    assert "guideline#" not in without.get_data(as_text=True)


def test_a_rule_in_full_has_what_its_card_leaves_out() -> None:
    part = page_of_the_guideline().partition('<a id="RTE-07"></a>')[2].partition("<h3")[0]
    assert "Deficient, mild, cause nutritional or unknown" in part
    assert "Oral treatment is effective in nutritional deficiency" in part
    assert "every other day for two weeks" in part


@pytest.mark.parametrize("path", ["/", "/guideline", "/workbench/main.js", "/workbench/mark.svg"])
def test_every_part_forbids_what_is_not_its_own(path: str) -> None:
    headers = client().get(path, headers=BROWSER).headers
    policy = dict(
        directive.strip().partition(" ")[::2]
        for directive in headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert policy["trusted-types"] == "'none'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_part_that_is_known_already_is_not_sent_again() -> None:
    first = client().get("/workbench/style.css")
    again = client().get("/workbench/style.css", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("name", ["__init__.py", "..%2f__init__.py", "guideline.html", "x"])
def test_nothing_but_the_parts_is_handed_out(name: str) -> None:
    assert client().get(f"/workbench/{name}").status_code == 404


# --- the guideline to read -----------------------------------------------------------------------


@cache
def page_of_the_guideline() -> str:
    return client().get("/guideline").get_data(as_text=True)


def anchors() -> list[str]:
    return re.findall(r' id="([^"]+)"', page_of_the_guideline())


def test_the_guideline_page_has_an_anchor_for_every_rule_statement_source_and_limit() -> None:
    named = {*G.file.rules, *G.file.statements, *G.file.sources}
    wanted = {name.lower() for name in named}
    limits = G.file.limits.__struct_fields__
    wanted |= {f"limit-{name.replace('_', '-')}" for name in limits}
    wanted |= {"c-1", "c-2", "contradictions"}
    assert wanted - set(anchors()) == set()
    assert len(anchors()) == len(set(anchors())), "an anchor is repeated"


def test_every_link_of_the_guideline_page_leads_somewhere() -> None:
    links = re.findall(r'href="([^"]*)"', page_of_the_guideline())
    inside = [link for link in links if link.startswith("#")]
    assert len(inside) > 500
    assert {link[1:] for link in inside} <= set(anchors())
    others = {link for link in links if not link.startswith("#")}
    known = r"https?://|/$|/workbench/|/\?guideline=b12-under-two&amp;find="
    assert {one for one in others if not re.match(known, one)} == set()


def test_the_guideline_page_shows_the_numbers_in_force(tmp_path: Path) -> None:
    text = html.unescape(re.sub(r"<[^>]+>", " ", page_of_the_guideline()))
    limit: Limit = G.limits.b12_deficient
    assert f"below {limit}" in text
    assert "No local settings" in text
    file = tmp_path / "site.toml"
    file.write_text(
        '[limits]\nb12_deficient = { below = 210, source = "local: <b>us</b>" }\n',
        encoding="utf-8",
    )
    site = create_app(Settings(guideline_overrides=file), load_services(file)).test_client()
    page = site.get("/guideline").get_data(as_text=True)
    assert "below 210 pg/mL" in page
    assert "Local settings in force: <code>limits.b12_deficient" in page
    assert "&lt;b&gt;us&lt;/b&gt;" in page, "what a site writes is text"


def test_lines_of_a_cell_stand_below_each_other_in_the_guideline_page() -> None:
    assert "1 MG/ML Oral Solution<br>RxNorm" in page_of_the_guideline()
    assert not re.search(r"&lt;/?[a-z]", page_of_the_guideline()), (
        "markup of our own is shown as text"
    )


def test_no_script_and_no_style_stands_in_the_guideline_page() -> None:
    linked = '<script type="module" src="/workbench/guideline.js"></script>'
    page = page_of_the_guideline().replace(linked, "", 1)
    assert page != page_of_the_guideline()
    assert not re.search(r"<script|<style|<!--| on\w+=| style=|javascript:", page, flags=re.I)


def test_every_section_of_the_guideline_page_folds() -> None:
    body = page_of_the_guideline().partition("<main>")[2]
    assert len(re.findall(r"<h[23]", body)) > 100
    assert len(re.findall(r"<details><summary><h[23] ", body)) == len(re.findall(r"<h[23]", body))
    assert body.count("<details>") == body.count("</details>")


def test_every_row_with_a_name_links_to_itself_and_a_rule_to_its_stories() -> None:
    named = re.findall(r'<td><a id="([^"]+)"></a>(.*?)</td>', page_of_the_guideline())
    assert len(named) > 300
    assert [name for name, cell in named if not cell.startswith(f'<a href="#{name}">')] == []
    links = re.findall(
        r'<a class="stories-of" href="([^"]+)">(\d+) stor(?:y|ies)</a>', page_of_the_guideline()
    )
    assert len(links) > 150
    told = client().get("/samples").get_json()["samples"]
    for address, count in links:
        (rule,) = parse_qs(urlsplit(html.unescape(address)).query)["find"]
        assert int(count) == sum(rule in one["rules"] for one in told), rule
    assert "stories-of" not in client(demo=False).get("/guideline").get_data(as_text=True)


# --- reasoning -----------------------------------------------------------------------------------


def test_the_reasoning_comes_with_the_same_cards_as_the_call() -> None:
    request = (STORY / "request.json").read_bytes()
    called = client().post(f"/cds-services/{PATIENT_VIEW}", data=request)
    told = explained(request)
    assert told["response"] == json.loads(called.data)
    assert set(told["details"]) == {card["uuid"] for card in told["response"]["cards"]}


def test_every_rule_is_told_once_with_what_became_of_it() -> None:
    told = explained((STORY / "request.json").read_bytes())
    rows = [row for table in told["tables"] for row in table["rows"]]
    assert [row["rule"] for row in rows] == list(G.file.rules)
    assert {row["state"] for row in rows} == {"fired", "no", "not reached", "not asked"}
    (route,) = [row for row in rows if row["rule"] == "RTE-07"]
    assert route["state"] == "fired"
    assert route["why"]
    assert all(row["why"] for row in rows if row["state"].startswith("not "))


def test_a_converted_result_is_told_with_value_unit_date_and_place() -> None:
    told = explained((STORIES / "result-in-pmol" / "request.json").read_bytes())
    (level,) = [one for one in told["facts"] if one["name"] == "Vitamin B12"]
    assert level["value"] == "142.3 pg/mL"
    assert level["sent"] == "105 pmol/L"
    assert level["source"].startswith("Observation/")
    assert re.fullmatch(r"\d{1,2} [A-Z][a-z]{2} \d{4}", level["day"])
    (point,) = told["chart"]["plots"][0]["points"]
    assert 142 < point["value"] < 143
    assert point["sent"] == "105 pmol/L"


def test_a_weight_is_shown_on_the_growth_curves_of_the_child() -> None:
    request = json.loads((STORY / "request.json").read_bytes())
    child = request["prefetch"]["patient"]
    assert child["gender"] == "female"

    def weights(**changes: Any) -> Any:
        child.update(changes)
        plots = explained(json.dumps(request).encode())["chart"]["plots"]
        return next(one for one in plots if one["key"] == "weight")

    shown = weights()
    assert "WHO" in shown["source"]
    assert [one["label"] for one in shown["curves"]] == ["-3", "-2", "0", "+2", "+3"]
    # As WHO's tables have them: the median of girls at birth and at 12 months.
    median = dict(shown["curves"][2]["points"])
    assert median[child["birthDate"]] == 3.23
    year = date.fromisoformat(child["birthDate"]) + timedelta(days=365)
    assert median[year.isoformat()] == 8.95
    for curve in shown["curves"]:
        days = [day for day, _ in curve["points"]]
        assert days == sorted(days)
    boys = weights(gender="male")
    assert dict(boys["curves"][2]["points"])[child["birthDate"]] == 3.35
    assert weights(gender="unknown")["curves"] == []
    assert weights(gender="female", birthDate=child["birthDate"][:7])["curves"] == []


def told_of(story: str) -> tuple[Any, Any, date]:
    """The request of a story, the account of it on its day, and the day."""
    request = (STORIES / story / "request.json").read_bytes()
    on = json.loads((STORIES / story / "expected.json").read_bytes())["asOf"]
    return json.loads(request), explained(request, on), date.fromisoformat(on)


def test_haemoglobin_is_shown_against_the_limit_of_each_age() -> None:
    request, told, _ = told_of("vegan-mother-low-b12-six-months")
    born = date.fromisoformat(request["prefetch"]["patient"]["birthDate"])

    def shown(told: Any) -> Any:
        return next(one for one in told["chart"]["plots"] if one["key"] == "hemoglobin")["bands"]

    bands = shown(told)
    limits = G.limits
    assert [one["below"] for one in bands] == [
        limits.hemoglobin_anaemia_1_month.value,
        limits.hemoglobin_anaemia_2_months.value,
        limits.hemoglobin_anaemia_3_months.value,
        limits.hemoglobin_anaemia.value,
    ]
    assert [one["since"] for one in bands] == [
        add_months(born, int(limit.value)).isoformat() for limit in blood.ages(limits)
    ]
    assert [one.get("until") for one in bands] == [*(one["since"] for one in bands[1:]), None]
    request["prefetch"]["patient"]["birthDate"] = born.isoformat()[:7]
    assert shown(explained(json.dumps(request).encode())) == [], "no limit without an age"


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        ("injections-only-as-administrations", ["given"] * 5),
        ("injections-begun-in-place-of-drops", ["goes on", "goes on"]),
        ("injections-resumed-after-a-break", ["over", "goes on"]),
        ("folic-acid-alone", []),
        ("healthy-infant-silent", []),
    ],
)
def test_the_treatment_that_counts_is_shown_with_its_days(story: str, expected: list[str]) -> None:
    request, told, on = told_of(story)
    found = told["chart"]["treatment"]

    def kind(one: Any) -> str:
        return "given" if one["given"] else "goes on" if one["goesOn"] else "over"

    assert [kind(one) for one in found] == expected
    sources = {one["source"] for one in told["chart"]["medications"]}
    for one in found:
        assert one["source"] in sources
        assert one["begins"] <= one["ends"] <= on.isoformat()
        assert one["begins"] == one["ends"] or not one["given"]
    held = [entry["resource"] for need in request["prefetch"].values() if need
            for entry in need.get("entry", ())]  # fmt: skip
    given = [one["effectiveDateTime"][:10] for one in held
             if one["resourceType"] == "MedicationAdministration"]  # fmt: skip
    if expected and set(expected) == {"given"}:
        assert sorted(one["begins"] for one in found) == sorted(given)


def test_what_was_missing_is_told() -> None:
    request = json.loads((STORY / "request.json").read_bytes())
    del request["prefetch"]["labs"], request["prefetch"]["meds"]
    told = explained(json.dumps(request).encode())
    missing = [one["text"] for one in told["facts"] if one["name"] == "Not known"]
    assert len(missing) == 2
    assert any(one.startswith("medication orders: not sent") for one in missing)


# --- one fact over its range ----------------------------------------------------------------------

LEVEL = ["prefetch", "b12", "entry", 0, "resource", "valueQuantity", "value"]


def over_range(values: list[Any], **changes: Any) -> Any:
    request = json.loads((STORY / "request.json").read_bytes())
    asked = {"request": request, "places": [LEVEL], "values": values, **changes}
    answer = client().post(f"/workbench/range/{PATIENT_VIEW}", data=json.dumps(asked))
    return answer.status_code, json.loads(answer.data)


def test_the_advice_over_a_range_changes_at_the_limits_of_the_guideline() -> None:
    values = list(range(1, 601))
    status, told = over_range(values)
    assert status == 200
    found = told["stretches"]
    ends = [values[one["last"]] for one in found]
    limits = G.limits
    edges = (limits.b12_severe, limits.b12_deficient, limits.b12_adequate)
    assert ends == [*(int(one.value) - 1 for one in edges), 600]
    assert [one["first"] for one in found] == [0, *(one["last"] + 1 for one in found[:-1])]
    assert [one["indicator"] for one in found] == ["critical", "warning", "warning", "info"]
    assert "intramuscular" in found[0]["advice"]
    assert "Oral cyanocobalamin" in found[1]["advice"]
    for one in found:
        for place in (one["first"], one["last"]):
            request = json.loads((STORY / "request.json").read_bytes())
            (entry,) = request["prefetch"]["b12"]["entry"]
            entry["resource"]["valueQuantity"]["value"] = values[place]
            card = explained(json.dumps(request).encode())["response"]["cards"][0]
            assert card["indicator"] == one["indicator"]
            assert card["extension"][RULES_EXTENSION]["ruleIds"] == one["rules"]


def test_a_range_where_nothing_is_said_says_why_not() -> None:
    birth = [["prefetch", "patient", "birthDate"]]
    status, told = over_range(["2025-09-11", "2024-03-12", "2023-01-01"], places=birth)
    assert status == 200
    first, second = told["stretches"]
    assert first["rules"]
    assert (first["first"], first["last"]) == (0, 0)
    assert second == {
        "first": 1, "last": 2, "indicator": "", "rules": [], "advice": "nothing to say",
    }  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"places": [["nowhere"]]},
        {"places": [[*LEVEL, "deeper"]]},
        {"places": [["prefetch", "b12", "entry", 7, "resource"]]},
        {"places": [[]]},
        {"values": [1]},
        {"values": list(range(1001))},
        {"values": [None, 2]},
        {"request": []},
        {"more": 1},
    ],
)
def test_a_range_that_cannot_be_tried_is_refused(changes: Any) -> None:
    status, told = over_range(**{"values": [1, 2], **changes})
    assert status == 400
    assert told["resourceType"] == "OperationOutcome"


def test_a_range_is_not_tried_on_a_record_too_long() -> None:
    status, _ = over_range([1, 2], sure=[0] * 100_001)
    assert status == 413


def test_every_stretch_is_found_and_few_values_are_tried() -> None:
    tried: list[int] = []

    def decided(place: int) -> dict[str, Any]:
        tried.append(place)
        return {"at": sum(place >= edge for edge in edges)}

    for edges in ([], [1], [999], [1, 2, 3], [250, 500, 501, 502], [25, 26, 974, 999]):
        tried.clear()
        found = list(stretches(1000, [edges[0] + 1] if edges else [], decided))
        assert [first for first, _, _ in found] == [0, *edges]
        assert [last for _, last, _ in found] == [*(one - 1 for one in edges), 999]
        assert [one["at"] for _, _, one in found] == list(range(len(edges) + 1))
        assert len(set(tried)) == len(tried) < 100
    assert [one[:2] for one in stretches(2, (), lambda place: {"at": place})] == [(0, 0), (1, 1)]


def test_a_narrow_stretch_is_found_where_it_is_named() -> None:
    def decided(place: int) -> dict[str, Any]:
        return {"in": place == 503}

    assert len(list(stretches(1000, (), decided))) == 1, "what is tried is far from it"
    found = [(first, last) for first, last, _ in stretches(1000, [503], decided)]
    assert found == [(0, 502), (503, 503), (504, 999)]


def test_advice_that_changes_everywhere_is_not_followed_for_ever() -> None:
    dates = [["prefetch", "b12", "entry", 0, "resource", "effectiveDateTime"]]
    status, told = over_range([f"{ON}T00:00:00Z", "x"] * 500, places=dates)
    assert status == 400
    assert "too often" in told["issue"][0]["details"]["text"]


@pytest.mark.parametrize(
    ("value", "status"),
    [(199, "STAT-02"), (200, "STAT-05"), (299, "STAT-05"), (300, "STAT-08")],
)
def test_advice_changes_at_the_limit_and_not_before(value: int, status: str) -> None:
    request = json.loads((STORY / "request.json").read_bytes())
    (entry,) = request["prefetch"]["b12"]["entry"]
    entry["resource"]["valueQuantity"]["value"] = value
    statuses = {rule for rule in fired(explained(json.dumps(request).encode())) if "STAT" in rule}
    assert statuses == {status}


def test_another_day_is_evaluated_and_said_on_the_card() -> None:
    request = (STORY / "request.json").read_bytes()
    later = explained(request, "2026-09-20")
    assert later["on"] == "2026-09-20"
    card = later["response"]["cards"][0]
    assert "Evaluated as of 20 Sep 2026" in card["detail"]
    assert "STAT-02" not in fired(later), "the result has grown old"
    assert explained(request, "2027-09-10")["response"]["cards"] == [], "the second birthday"
    assert explained(request, "2027-09-09")["response"]["cards"] != []


@pytest.mark.parametrize("on", ["today", "2026-02-30", "20260312", "2026-3-1", "<b>"])
def test_a_date_that_is_none_is_refused(on: str) -> None:
    request = (STORY / "request.json").read_bytes()
    answer = client().post(
        f"/workbench/explain/{PATIENT_VIEW}", query_string={"on": on}, data=request
    )
    assert answer.status_code == 400
    assert json.loads(answer.data)["issue"][0]["expression"] == ["on"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/workbench/explain/nobody", b"{}", 404),
        (f"/workbench/explain/{PATIENT_VIEW}", b"{", 400),
        (f"/workbench/explain/{PATIENT_VIEW}", b"\xff", 400),
        (f"/workbench/explain/{PATIENT_VIEW}", b'{"hook": "order-sign"}', 400),
        ("/workbench/request", b'{"resourceType": "Patient"}', 400),
        ("/workbench/request", b"[]", 400),
        ("/workbench/request", b"nonsense", 400),
    ],
)
def test_what_cannot_be_evaluated_is_refused_in_a_sentence(
    path: str, body: bytes, status: int
) -> None:
    answer = client().post(path, data=body)
    assert answer.status_code == status
    told = json.loads(answer.data)
    assert told["resourceType"] == "OperationOutcome"
    assert told["issue"][0]["details"]["text"]


def test_a_body_over_the_limit_is_refused() -> None:
    small = client(max_body_bytes=10_000)
    answer = small.post(f"/workbench/explain/{PATIENT_VIEW}", data=b" " * 10_001)
    assert answer.status_code == 413
    assert json.loads(answer.data)["resourceType"] == "OperationOutcome"


def test_a_server_that_may_not_be_called_is_not_called() -> None:
    request = {
        "hook": "patient-view",
        "hookInstance": "36a458dc-b7b9-5333-980a-0e098b0b9790",
        "fhirServer": "https://fhir.example.org/r4",
        "context": {"userId": "Practitioner/1", "patientId": "p"},
    }
    answer = client().post(f"/workbench/explain/{PATIENT_VIEW}", json=request)
    assert answer.status_code == 412
    assert json.loads(answer.data)["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("path", [f"/workbench/explain/{PATIENT_VIEW}", "/workbench/request"])
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_origin_is_told_nothing(path: str, site: str) -> None:
    part = "patient.json" if path.endswith("request") else "request.json"
    body = (STORY / part).read_bytes()
    answer = client().post(path, data=body, headers={"Sec-Fetch-Site": site})
    assert answer.status_code == 403
    assert json.loads(answer.data)["issue"][0]["code"] == "forbidden"
    own = client().post(path, data=body, headers={"Sec-Fetch-Site": "same-origin"})
    assert own.status_code == 200


@pytest.mark.parametrize("path", [f"/workbench/explain/{PATIENT_VIEW}", "/workbench/request"])
@pytest.mark.parametrize("origin", ["https://evil.example.org", "http://localhost:1", "null"])
def test_a_page_is_known_by_its_origin_where_the_browser_says_no_more(
    path: str, origin: str
) -> None:
    """Beyond loopback browsers send Sec-Fetch-Site over https only, and old ones never."""
    body = (STORY / "request.json").read_bytes()
    headers = {"Origin": origin, "Content-Type": "application/json"}
    assert client().post(path, data=body, headers=headers).status_code == 403
    for own in ("http://localhost", "https://localhost"):  # a proxy may have ended TLS
        assert client().post(path, data=body, headers=headers | {"Origin": own}).status_code == 200


def test_what_a_client_may_send_has_the_same_limits_here() -> None:
    settings = {"max_drafts": 10, "max_nesting": 16, "max_text": 512}
    chart = json.loads((STORY / "request.json").read_bytes())
    chart["hook"] = "order-sign"

    def answered(orders: object, user: str = "Practitioner/1") -> set[int]:
        context = {**chart["context"], "userId": user, "draftOrders": orders}
        sent = {**chart, "context": context}
        paths = ("/workbench/explain/b12-under-two-order-sign", "/workbench/request")
        return {client(**settings).post(path, json=sent).status_code for path in paths}

    def drafts(count: int) -> object:
        return {"resourceType": "Bundle", "entry": [{"resource": {}}] * count}

    deep: object = {}
    for _ in range(20):
        deep = {"x": deep}
    assert answered(drafts(10)) == {200}
    assert answered(drafts(11)) == {413}
    assert answered({"resourceType": "Bundle", "entry": [deep]}) == {400}
    assert answered(drafts(1), user="P" * 9_000) == {413}


@pytest.mark.parametrize(("entries", "status"), [(99, 200), (100, 200), (101, 413)])
def test_a_prefetch_has_the_same_limit_here(entries: int, status: int) -> None:
    request = json.loads((STORY / "request.json").read_bytes())
    labs = request["prefetch"]["labs"]
    labs["entry"] += [{"resource": {"resourceType": "Observation"}}] * (
        entries - len(labs["entry"])
    )
    for path in (f"/workbench/explain/{PATIENT_VIEW}", f"/cds-services/{PATIENT_VIEW}"):
        assert client(max_entries=100).post(path, json=request).status_code == status


def test_outside_the_demo_no_fhir_server_is_read_for_the_page() -> None:
    request = json.loads((STORY / "request.json").read_bytes())
    del request["prefetch"]["labs"]
    with FhirStub([json.loads((STORY / "patient.json").read_bytes())]) as stub:
        request["fhirServer"] = stub.url
        path = f"/workbench/explain/{PATIENT_VIEW}"
        listed = Settings(fhir_servers=frozenset({stub.url}), fhir_deadline=30)
        outside = create_app(listed, SERVICES).test_client().post(path, json=request)
        assert outside.status_code == 200
        assert stub.seen == []
        assert "prefetch" not in json.loads(outside.data)
        inside = client(fhir_deadline=30).post(path, json=request)
        assert stub.asked("Observation")
        assert "labs" in json.loads(inside.data)["prefetch"]


# --- requests ------------------------------------------------------------------------------------


def test_a_bundle_becomes_a_request_that_gets_the_same_advice() -> None:
    bundle = (STORY / "patient.json").read_bytes()
    answer = client().post("/workbench/request", data=bundle)
    assert answer.status_code == 200
    request = json.loads(answer.data)
    assert request["hook"] == "patient-view"
    assert set(request["prefetch"]) == {need.key for need in G.needs}
    summaries = [
        [card["summary"] for card in explained(sent)["response"]["cards"]]
        for sent in (answer.data, (STORY / "request.json").read_bytes())
    ]
    assert summaries[0] == summaries[1] != []


def test_what_the_page_adds_to_a_record_decides() -> None:
    told = json.loads(client().get("/workbench/setup").data)
    assert told["today"] == ON
    assert [one["hook"] for one in told["services"]] == [
        "patient-view",
        "order-select",
        "order-sign",
    ]
    controls = {one.get("key", one["kind"]): one for one in told["desk"]["controls"]}
    assert list(controls) == ["b12", "weight", "age", "neurological", "malabsorption"]
    for name, rule in (("neurological", "RTE-03"), ("malabsorption", "RTE-05")):
        request = json.loads((STORY / "request.json").read_bytes())
        problem = {
            "resourceType": "Condition",
            "id": "added",
            "code": {"coding": [controls[name]["coding"]]},
            "subject": {"reference": f"Patient/{request['context']['patientId']}"},
            "clinicalStatus": {"coding": [{"code": "active"}]},
            "onsetDateTime": ON,
        }
        bundle = {
            "resourceType": "Bundle",
            "type": "searchset",
            "entry": [{"resource": problem}],
        }
        request["prefetch"]["conditions"] = bundle
        answered = explained(json.dumps(request).encode())
        assert rule in fired(answered)
        assert answered["chart"]["findings"][name] == ["Condition/added"]
    assert [one["value"] for one in controls["b12"]["marks"]] == [100, 200, 300]
    assert [one["value"] for one in controls["age"]["marks"]] == [1, 12, 24]
    assert told["needs"]["Condition"] == "conditions"


def test_a_result_is_entered_in_units_that_the_service_converts_alike() -> None:
    told = json.loads(client().get("/workbench/setup").data)
    b12, weight = told["desk"]["controls"][:2]
    assert [one["unit"] for one in b12["units"]] == ["pg/mL", "ng/L", "pmol/L"]
    for control, name in ((b12, "Vitamin B12"), (weight, "Weight")):
        seen = set()
        for unit in control["units"]:
            request = json.loads((STORY / "request.json").read_bytes())
            (entry, *_) = request["prefetch"][control["key"]]["entry"]
            entry["resource"]["code"] = {"coding": [unit["coding"]]}
            value = 6.5 * unit["factor"]
            entry["resource"]["valueQuantity"] = {"value": value, "unit": unit["unit"]}
            request["prefetch"][control["key"]]["entry"] = [entry]
            facts = explained(json.dumps(request).encode())["facts"]
            (fact,) = [one for one in facts if one["name"] == name and one.get("value")]
            seen.add(fact["value"])
        assert len(seen) == 1, seen


def test_a_code_that_a_site_withdrew_is_still_offered_to_be_tried(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(
        '[[codes.b12_level]]\nsystem = "http://loinc.org"\ncode = "2132-9"\n'
        'display = "B12"\nverified = "no"\n',
        encoding="utf-8",
    )
    site = create_app(Settings(guideline_overrides=file), load_services(file)).test_client()
    told = json.loads(site.get("/workbench/setup").data)
    assert told["desk"]["controls"][0]["units"][0]["coding"]["code"] == "2132-9"


def test_the_stories_to_begin_with_are_there() -> None:
    told = json.loads(client().get("/workbench/setup").data)
    offered = json.loads(client().get("/samples").data)["samples"]
    wanted = {one["story"] for one in told["desk"]["stories"]}
    assert wanted <= {one["name"] for one in offered}
    assert len(wanted) == 6


def test_a_guideline_that_is_not_there_is_not_shown() -> None:
    for path in ("/workbench/setup", "/guideline", "/"):
        assert client().get(f"{path}?guideline=nobody", headers=BROWSER).status_code == 404
        same = client().get(f"{path}?guideline=b12-under-two", headers=BROWSER)
        assert same.data == client().get(path, headers=BROWSER).data


def test_every_rule_that_a_statement_names_leads_back_to_it() -> None:
    told = json.loads(client().get("/workbench/setup").data)
    assert set(told["statements"]) == set(G.file.statements)
    assert "G-08" in told["statementsOf"]["RTE-07"]
    assert {one for many in told["statementsOf"].values() for one in many} <= set(
        told["statements"]
    )
    assert isinstance(G, b12.Guideline)


# --- Markdown as a tree --------------------------------------------------------------------------


def test_the_markdown_of_cards_becomes_a_tree_of_known_elements() -> None:
    assert markdown_tree("**Give** _it_\n\n- one\n- two `x`\n\n> said") == [
        ["p", [["strong", ["Give"]], " ", ["em", ["it"]]]],
        ["ul", [["li", ["one"]], ["li", ["two ", ["code", ["x"]]]]]],
        ["blockquote", [["p", ["said"]]]],
    ]


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("<script>alert(1)</script>", [["p", ["<script>alert(1)</script>"]]]),
        ("a <b onclick=x>c</b>", [["p", ["a <b onclick=x>c</b>"]]]),
        ("[x](javascript:alert(1))", [["p", ["[x](javascript:alert(1))"]]]),
        ("[x](data:text/html,hi)", [["p", ["[x](data:text/html,hi)"]]]),
        ("[x](/elsewhere)", [["p", ["x"]]]),
        ("![x](https://example.org/pixel.png)", [["p", ["x"]]]),
        ("&lt;i&gt;", [["p", ["<i>"]]]),
    ],
)
def test_nothing_in_markdown_becomes_markup(hostile: str, shown: list[Any]) -> None:
    assert markdown_tree(hostile) == shown


def test_a_link_to_the_web_stays_a_link() -> None:
    assert markdown_tree("[x](https://doi.org/1)") == [["p", [["a", ["x"], "https://doi.org/1"]]]]


@pytest.mark.parametrize(
    ("views", "routes", "elsewhere"),
    [(pages.Workbench, pages.ROUTES, {"front"}), (pages.SampleInfants, pages.SAMPLE_ROUTES, set())],
)
def test_every_view_stands_in_a_table_of_routes(
    views: type, routes: tuple[tuple[str, str, Any], ...], elsewhere: set[str]
) -> None:
    listed = {view.__name__ for _, _, view in routes}
    assert listed | elsewhere == {name for name in vars(views) if not name.startswith("_")}
