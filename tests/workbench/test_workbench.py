"""The workbench in a real browser: what a newcomer does, sees, and cannot break."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from at_the_desk import SLIP, STORIES, cards, first_card, opened, step
from fhir_server_stub import FhirStub
from playwright.sync_api import Page, Request, expect

pytestmark = pytest.mark.needs_environment("CDS_TEST_CHROMIUM")

TREATMENT = "cyanocobalamin 1000 micrograms (1 mL) by mouth"
HEAVIEST_BYTES = 168_000

Open = Callable[..., Page]


def sent_to(requests: list[Request], end: str) -> list[Any]:
    return [one.post_data_json for one in requests if one.url.endswith(end)]


def watched(page: Page) -> list[Request]:
    seen: list[Request] = []
    page.on("request", lambda request: seen.append(request))
    return seen


# --- the newcomer's path -------------------------------------------------------------------------


def test_a_newcomer_treats_the_infant_and_sees_the_wrong_unit_caught(visit: Open) -> None:
    page = visit()
    expect(page.locator(".notice").first).to_contain_text(
        "Synthetic patients, not for clinical use"
    )
    expect(page.locator("#as-of")).to_contain_text("Evaluated as of")
    requests = watched(page)

    step(page, "open")
    expect(first_card(page)).to_contain_text(TREATMENT)
    expect(cards(page).first).to_contain_text("Warning")
    expect(page.locator("#chart .name")).to_have_text("Clover Testinfant")
    expect(page.locator("#chart svg").first).to_have_attribute(
        "aria-label", re.compile("142 pg/mL")
    )
    expect(page.locator("#chart")).to_contain_text("mother's diet: Vegan")

    step(page, "treat")
    basket = page.locator("#orders")
    expect(basket.locator(".order h3").first).to_have_text("Cyanocobalamin 1 mg/mL oral solution")
    expect(basket.locator("td.dose")).to_have_count(7 + 7 + 4 + 12)
    for phase, doses in ((1, 7), (2, 7), (3, 4), (4, 12)):
        expect(basket.locator(f"td.phase-{phase}")).to_have_count(doses)
    expect(basket.locator(".tests li")).to_have_count(6)
    expect(basket.locator("td.lab")).to_have_count(3)

    step(page, "slip")
    expect(page.locator("#tab-order-select")).to_have_attribute("aria-selected", "true")
    expect(first_card(page)).to_contain_text("1000 mg, 1000 times the usual")

    step(page, "caught")
    expect(page.locator("#tab-order-sign")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#cards .critical h3")).to_contain_text("Do not sign")
    expect(page.locator(".objection")).to_contain_text("Stopped before signing")

    step(page, "mend")
    expect(basket.locator(".phases li").first).to_have_text(
        re.compile("^1000 micrograms .*by mouth once daily for 7 days")
    )
    expect(page.locator(".objection")).to_have_count(0)

    step(page, "signed")
    expect(page.locator("#tab-patient-view")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#chart .list").filter(has_text="Medicines")).to_contain_text(
        "Cyanocobalamin 1 mg/mL oral solution active"
    )
    expect(basket.locator(".empty")).to_contain_text("on the record now")
    expect(page.locator("#changes")).to_contain_text("RTE-11")
    expect(page.locator("#steps .done")).to_have_count(6)

    hooks = [body["hook"] for body in sent_to(requests, "-order-select")]
    assert hooks == ["order-select"] * len(hooks) != []
    (selected, *_) = sent_to(requests, "-order-select")
    drafts = [one["resource"] for one in selected["context"]["draftOrders"]["entry"]]
    assert selected["context"]["selections"] == [f"MedicationRequest/{drafts[0]['id']}"]
    assert len({draft["id"] for draft in drafts}) == len(drafts) == 7
    for body in [*sent_to(requests, "-order-sign"), *sent_to(requests, "-patient-view")]:
        UUID(body["hookInstance"])


def test_an_order_is_written_by_hand_and_checked_while_it_is_written(visit: Open) -> None:
    page = opened(visit)
    requests = watched(page)
    page.get_by_role("button", name="Write an order").click()
    expect(page.locator("#tab-order-select")).to_have_attribute("aria-selected", "true")
    order = page.locator("#orders .order").first
    expect(order.locator("td.dose")).to_have_count(0)
    expect(page.locator("#orders td.dose")).to_have_count(28)
    order.get_by_label("Dose", exact=True).fill("2500")
    order.get_by_label("Dose", exact=True).press("Enter")
    expect(first_card(page)).to_contain_text("2500 micrograms")
    order.get_by_label("Times").fill("2")
    order.get_by_label("Times").press("Tab")
    expect(order.locator(".phases")).to_contain_text(
        "2500 micrograms by mouth twice daily for 28 days"
    )
    order.get_by_label("Route").select_option(label="Intramuscular route")
    expect(order.locator(".phases")).to_contain_text("into the muscle")
    order.get_by_label("Drug").select_option(label="Hydroxocobalamin 1 mg/mL injection")
    expect(order.locator("h3").first).to_have_text("Hydroxocobalamin 1 mg/mL injection")
    page.wait_for_timeout(200)
    last = sent_to(requests, "-order-select")[-1]["context"]["draftOrders"]["entry"][0]["resource"]
    dosage = last["dosageInstruction"][0]
    assert dosage["doseAndRate"][0]["doseQuantity"]["value"] == 2500
    assert dosage["timing"]["repeat"]["frequency"] == 2
    assert dosage["route"]["coding"][0]["code"] == "78421000"
    assert dosage["text"] == "2500 micrograms into the muscle twice daily for 28 days"
    assert last["medicationCodeableConcept"]["text"] == "Hydroxocobalamin 1 mg/mL injection"
    page.get_by_role("button", name="Remove Hydroxocobalamin").click()
    expect(page.locator("#orders .empty")).to_be_visible()


def test_the_focus_stays_in_the_field_that_was_changed(visit: Open) -> None:
    page = opened(visit)
    page.get_by_role("button", name="Write an order").click()
    dose = page.locator("#orders .order").first.get_by_label("Dose", exact=True)
    dose.fill("100")
    dose.press("Enter")
    expect(page.locator("#orders .phases")).to_contain_text("100 micrograms")
    focused = page.evaluate("document.activeElement.closest('.field')?.textContent")
    assert focused == "Dose"


def test_a_story_of_orders_being_signed_opens_with_its_basket(visit: Open) -> None:
    page = opened(visit, SLIP)
    expect(page.locator("#tab-order-sign")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#cards .critical")).to_have_count(1)
    expect(page.locator("#orders .phases")).to_contain_text("1000 mg by mouth once daily")
    page.get_by_role("button", name="Change the dose").click()
    expect(page.locator("#orders .phases li")).to_have_count(4)
    page.locator("#sign").click()
    page.get_by_role("button", name="Sign as they are").or_(
        page.locator("#orders .empty")
    ).first.wait_for()


def test_what_the_service_objects_to_can_still_be_signed_by_a_person(visit: Open) -> None:
    page = opened(visit, SLIP)
    page.locator("#sign").click()
    expect(page.locator(".objection")).to_be_visible()
    page.get_by_role("button", name="Sign as they are").click()
    expect(page.locator("#orders .empty")).to_contain_text("on the record now")


def test_at_most_one_suggestion_of_a_card_can_be_taken(visit: Open) -> None:
    page = opened(visit, "/?story=anaemia-moderate-breastfed")
    buttons = cards(page).first.locator("[data-suggestion]")
    expect(buttons).to_have_count(2)
    buttons.nth(1).click()
    expect(buttons.nth(0)).to_be_disabled()
    expect(buttons.nth(1)).to_be_disabled()
    expect(page.locator("#orders .phases")).to_contain_text("intramuscular injection once weekly")


def test_a_suggestion_pressed_twice_is_taken_once(visit: Open) -> None:
    page = opened(visit)
    requests = watched(page)
    held: list[Any] = []
    page.route("**/feedback", lambda route: held.append(route))
    button = cards(page).first.locator("[data-suggestion]").first
    button.evaluate("it => { it.click(); it.click(); }")
    expect(page.locator("#orders .tests li")).to_have_count(6)
    expect(button).to_be_disabled()
    expect(cards(page).first.locator(".outcome")).to_contain_text("sending feedback")
    held[0].continue_()
    expect(cards(page).first.locator(".outcome")).to_contain_text("The service")
    expect(page.locator("#orders .order[data-order]")).to_have_count(1)
    assert len(sent_to(requests, "/feedback")) == 1
    page.locator("#tab-order-select").click()
    page.locator("#tab-patient-view").click()
    expect(button).to_be_disabled()


def test_silence_says_that_it_evaluated(visit: Open) -> None:
    page = opened(visit, "/?story=adequate-level-silent")
    expect(first_card(page)).to_have_text("Evaluated, and there is nothing to say")
    expect(cards(page).first.locator(".detail li")).not_to_have_count(0)


# --- feedback ------------------------------------------------------------------------------------


def test_accepting_sends_feedback_in_the_form_of_the_standard(visit: Open) -> None:
    page = opened(visit)
    requests = watched(page)
    uuid = cards(page).first.locator("[data-suggestion]").first.get_attribute("data-suggestion")
    with page.expect_response(re.compile("/feedback$")) as answered:
        cards(page).first.locator("[data-suggestion]").first.click()
    (body,) = sent_to(requests, "/feedback")
    (item,) = body["feedback"]
    UUID(item["card"])
    assert item["outcome"] == "accepted"
    assert item["acceptedSuggestions"] == [{"id": uuid}]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", item["outcomeTimestamp"])
    assert "overrideReason" not in item
    _feedback_is_told_as_it_was_answered(page, answered.value.status)


def test_dismissing_sends_the_reason(visit: Open) -> None:
    page = opened(visit)
    requests = watched(page)
    card = cards(page).first
    card.get_by_text("Dismiss …").click()
    card.get_by_label("Reason").select_option(label="The family declines")
    card.get_by_label("Comment").fill("asked twice")
    with page.expect_response(re.compile("/feedback$")) as answered:
        card.get_by_role("button", name="Dismiss this card").click()
    (body,) = sent_to(requests, "/feedback")
    (item,) = body["feedback"]
    assert item["outcome"] == "overridden"
    assert item["overrideReason"]["reason"]["code"] == "family-declines"
    assert item["overrideReason"]["reason"]["system"].startswith("https://")
    assert item["overrideReason"]["userComment"] == "asked twice"
    assert "acceptedSuggestions" not in item
    expect(card.locator(".outcome")).to_contain_text("Dismissed: The family declines.")
    _feedback_is_told_as_it_was_answered(page, answered.value.status)


def _feedback_is_told_as_it_was_answered(page: Page, status: int) -> None:
    """Holds with a service that accepts feedback and with one that refuses it."""
    said = "accepted" if 200 <= status < 300 else "did not accept"
    expect(cards(page).first.locator(".outcome")).to_contain_text(f"The service {said}")
    entry = page.locator("#talk details").filter(has_text="/feedback")
    expect(entry.locator(".status")).to_have_text(str(status))


@pytest.mark.parametrize("status", [200, 404, 503])
def test_feedback_is_said_to_be_taken_only_when_it_was(visit: Open, status: int) -> None:
    page = opened(visit, forgives="status of 503")
    outcome = {"resourceType": "OperationOutcome", "issue": [{"details": {"text": "No."}}]}
    page.route(
        "**/feedback",
        lambda route: route.fulfill(status=status, json={} if status == 200 else outcome),
    )
    cards(page).first.locator("[data-suggestion]").first.click()
    taken = cards(page).first.locator(".outcome")
    if status == 200:
        expect(taken).to_have_text("Accepted. The service accepted the feedback.")
    else:
        expect(taken).to_have_text("Accepted. The service did not accept the feedback: No.")


# --- what if -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("99", "critical"),
        ("100", TREATMENT),
        ("199", TREATMENT),
        ("200", "borderline"),
        ("299", "borderline"),
    ],
)
def test_advice_changes_at_the_limits_of_vitamin_b12(visit: Open, value: str, says: str) -> None:
    page = opened(visit)
    page.get_by_role("button", name=f"Set vitamin B12 to {value} pg/mL").first.click()
    expect(page.locator("#b12-value")).to_have_value(value)
    if says == "critical":
        expect(page.locator("#cards .critical")).to_have_count(1)
    else:
        expect(first_card(page)).to_contain_text(f"B12 {value} pg/mL")
        expect(first_card(page)).to_contain_text(says)
    expect(page.locator("#chart .newest").first).to_contain_text(f"{value} pg/mL")


def test_the_slider_crosses_a_limit_by_keyboard(visit: Open) -> None:
    page = opened(visit)
    page.get_by_role("button", name="Set vitamin B12 to 199 pg/mL").click()
    expect(first_card(page)).to_contain_text(TREATMENT)
    slider = page.locator("#b12-slider")
    slider.focus()
    slider.press("ArrowRight")
    expect(first_card(page)).to_contain_text("borderline")
    expect(page.locator("#changes")).to_contain_text("STAT-05")
    expect(page.locator("#changes")).to_contain_text("No longer: ")
    slider.press("ArrowLeft")
    expect(first_card(page)).to_contain_text(TREATMENT)


def test_the_unit_decides_and_the_service_converts(visit: Open) -> None:
    page = opened(visit)
    page.locator("#b12-unit").select_option("pmol/L")
    page.locator("#b12-value").fill("147")
    page.locator("#b12-value").press("Enter")
    expect(first_card(page)).to_contain_text(TREATMENT)
    page.locator("#b12-value").fill("148")
    page.locator("#b12-value").press("Enter")
    expect(first_card(page)).to_contain_text("borderline")
    expect(page.locator("#chart .newest").first).to_contain_text("sent as 148 pmol/L")


def test_age_is_moved_to_the_day_before_and_the_day_of_a_limit(visit: Open) -> None:
    page = opened(visit)
    page.get_by_role("button", name="Aged 2 years, day before").click()
    expect(first_card(page)).to_contain_text(TREATMENT)
    page.get_by_role("button", name="Aged 2 years, on the day").click()
    expect(first_card(page)).to_have_text("Evaluated, and there is nothing to say")
    page.get_by_role("button", name="Aged 1 year, on the day").click()
    expect(cards(page).nth(1)).to_contain_text(re.compile(r"1\smicrograms? daily"))
    page.get_by_role("button", name="Aged 1 month, day before").click()
    expect(page.locator("#cards .critical")).to_have_count(1)


def test_weight_signs_and_malabsorption_change_the_advice(visit: Open) -> None:
    page = opened(visit)
    page.locator("#weight-slider").focus()
    page.locator("#weight-slider").press("ArrowRight")
    expect(cards(page).nth(1)).to_contain_text("6.9 kg")
    page.locator("#neurological-answer").select_option("present")
    expect(page.locator("#cards .critical")).to_have_count(1)
    expect(page.locator("#chart")).to_contain_text("Hypotonia")
    page.locator("#neurological-answer").select_option("")
    expect(page.locator("#cards .critical")).to_have_count(0)
    page.locator("#malabsorption-answer").select_option("present")
    expect(first_card(page)).to_contain_text("Crohn's disease of ileum")
    page.locator("#as-recorded").click()
    expect(first_card(page)).to_contain_text(TREATMENT)
    expect(page.locator("#as-recorded")).to_be_disabled()


def test_recorded_signs_can_be_taken_away(visit: Open) -> None:
    page = opened(visit, "/?story=hypotonia-regression-severe")
    expect(page.locator("#cards .critical")).to_have_count(1)
    page.locator("#neurological-answer").select_option("absent")
    expect(page.locator("#cards .critical")).to_have_count(0)
    expect(page.locator("#chart")).not_to_contain_text("Hypotonia")


def test_the_date_of_evaluation_moves_and_is_shown(visit: Open) -> None:
    page = opened(visit)
    slider = page.locator("#date-slider")
    slider.focus()
    for _ in range(4):
        slider.press("PageUp")
    expect(page.locator("#as-of")).to_contain_text("not today")
    expect(cards(page).first).to_contain_text("Evaluated as of")
    page.get_by_role("button", name="Evaluate as of today").click()
    expect(page.locator("#as-of")).not_to_contain_text("not today")
    expect(cards(page).first).not_to_contain_text("Evaluated as of")


def test_only_the_request_is_changed(visit: Open) -> None:
    page = opened(visit)
    requests = watched(page)
    page.get_by_role("button", name="Set vitamin B12 to 200 pg/mL").click()
    expect(first_card(page)).to_contain_text("borderline")
    (body, *_) = sent_to(requests, "-patient-view")
    (entry,) = body["prefetch"]["b12"]["entry"]
    assert entry["resource"]["valueQuantity"]["value"] == 200
    kept = {key for key in body["prefetch"] if key != "b12"}
    sent = json.loads((STORIES / "vegan-mother-low-b12-six-months" / "request.json").read_bytes())
    assert kept == set(sent["prefetch"]) - {"b12"}


# --- why -----------------------------------------------------------------------------------------


def test_a_card_says_why_with_rules_sentence_facts_and_what_was_missing(visit: Open) -> None:
    page = opened(visit, "/?story=result-in-pmol")
    card = cards(page).first
    card.get_by_text("Why?").click()
    why = card.locator(".why")
    expect(why.locator(".rule.fired").first).to_contain_text("RTE-")
    expect(why.locator("blockquote").first).to_contain_text("G-")
    row = why.locator(".known tr").filter(has_text="pmol/L").first
    expect(row).to_contain_text("142.3 pg/mL")
    expect(row).to_contain_text("105 pmol/L")
    expect(row).to_contain_text("Observation/")
    expect(why).to_contain_text("What was missing")
    status = why.locator("details.table").filter(has_text="Table status")
    status.locator("summary").click()
    expect(status.locator(".rule.fired")).to_contain_text("STAT-02")
    expect(status.locator(".rule.no")).not_to_have_count(0)
    expect(status.locator(".rule.not-reached").first).to_contain_text("STAT-02 answered")
    link = why.locator(".rule.fired a").first
    rule = link.inner_text()
    link.click()
    expect(page).to_have_url(re.compile(f"/guideline#{rule.lower()}$"))
    expect(page.locator(f"[id='{rule.lower()}']")).to_be_in_viewport()


def test_the_reasons_stay_open_while_a_fact_is_moved(visit: Open) -> None:
    page = opened(visit)
    cards(page).first.get_by_text("Why?").click()
    expect(cards(page).first.locator(".rule.fired").first).to_contain_text("RTE-07")
    page.get_by_role("button", name="Set vitamin B12 to 200 pg/mL").click()
    expect(cards(page).first.locator(".rule.fired").first).to_contain_text("RTE-08")


# --- other patients ------------------------------------------------------------------------------


def test_a_bundle_is_pasted(visit: Open) -> None:
    page = visit()
    page.get_by_text("Another patient …").click()
    bundle = (STORIES / "hypotonia-regression-severe" / "patient.json").read_text(encoding="utf-8")
    page.get_by_label("A FHIR Bundle, resources").fill(bundle)
    page.get_by_role("button", name="Open it").click()
    expect(cards(page).first).to_be_visible()
    expect(page.locator("#chart")).to_contain_text("hypotonia-regression-severe")


def test_a_file_is_chosen(visit: Open) -> None:
    page = visit()
    page.get_by_text("Another patient …").click()
    page.get_by_label("Your own record").set_input_files(
        STORIES / "crohn-ileum-toddler" / "request.json"
    )
    expect(cards(page).first).to_be_visible()
    expect(page.locator("#chart")).to_contain_text("crohn-ileum-toddler")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("{}", "neither a CDS Hooks request"),
        ('{"resourceType": "Bundle", "type": "collection"}', "holds no Patient"),
        ('{"hook": "patient-view"}', "names no patient"),
    ],
)
def test_what_is_no_patient_is_said_to_be_none(visit: Open, text: str, says: str) -> None:
    page = visit()
    page.get_by_text("Another patient …").click()
    page.get_by_label("A FHIR Bundle, resources").fill(text)
    page.get_by_role("button", name="Open it").click()
    expect(page.locator("#choose [role=alert]")).to_contain_text(says)


def test_a_patient_is_read_from_a_fhir_server_by_the_service(visit: Open) -> None:
    story = STORIES / "hypotonia-regression-severe"
    with FhirStub([json.loads((story / "patient.json").read_bytes())]) as stub:
        page = visit()
        requests = watched(page)
        page.get_by_text("Another patient …").click()
        page.get_by_label("FHIR server").fill(stub.url)
        page.get_by_label("Patient id").fill(story.name)
        page.get_by_role("button", name="Open the chart").click()
        expect(page.locator("#chart .name")).not_to_contain_text("Patient/")
        expect(page.locator("#chart")).to_contain_text(story.name)
        # The page opens with a story of its own, whose call may still be under way.
        (body,) = (
            one for one in sent_to(requests, "-patient-view") if one.get("fhirServer") == stub.url
        )
        assert "prefetch" not in body
        page.get_by_role("button", name="Set vitamin B12 to 300 pg/mL").click()
        expect(page.locator("#chart .newest").first).to_contain_text("300 pg/mL")


# --- errors --------------------------------------------------------------------------------------


def test_an_error_of_the_service_is_no_all_clear(visit: Open) -> None:
    page = visit()
    page.get_by_text("Another patient …").click()
    request = {
        "hook": "patient-view",
        "hookInstance": "36a458dc-b7b9-5333-980a-0e098b0b9790",
        "context": {"userId": "Practitioner/1", "patientId": "nobody"},
        "prefetch": {},
    }
    page.get_by_label("A FHIR Bundle, resources").fill(json.dumps(request))
    page.get_by_role("button", name="Open it").click()
    problem = page.locator("#cards [role=alert]")
    expect(problem).to_contain_text("This is not an all-clear")
    expect(page.locator("#talk .status.bad").first).to_have_text("412")
    expect(page.locator("#chart")).to_contain_text("The chart could not be read")


def test_a_service_that_is_gone_is_said_to_be_gone_and_asked_again(visit: Open) -> None:
    page = opened(visit)
    away = re.compile("/(cds-services|workbench/explain)/")
    page.route(away, lambda route: route.fulfill(status=400, body="<html>proxy</html>"))
    page.locator("#tab-order-select").click()
    expect(page.locator("#cards [role=alert]")).to_contain_text("The answer is not JSON.")
    page.unroute(away)
    page.get_by_role("button", name="Ask again").click()
    expect(first_card(page)).to_contain_text(TREATMENT)


# --- hostile text --------------------------------------------------------------------------------

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script> **bold** [l](javascript:alert(3))"


def test_names_of_patients_problems_and_drugs_are_text(visit: Open) -> None:
    page = visit()
    page.get_by_text("Another patient …").click()
    text = (STORIES / "order-sign-milligrams-for-micrograms" / "request.json").read_text()
    request = json.loads(text)
    patient = request["context"]["patientId"]
    request["prefetch"]["patient"]["name"] = [{"family": HOSTILE, "given": [HOSTILE]}]
    request["prefetch"]["conditions"] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [
            {
                "resource": {
                    "resourceType": "Condition",
                    "id": "x",
                    "code": {
                        "text": HOSTILE,
                        "coding": [{"system": "http://snomed.info/sct", "code": "398151007"}],
                    },
                    "clinicalStatus": {"coding": [{"code": "active"}]},
                    "subject": {"reference": f"Patient/{patient}"},
                }
            }
        ],
    }
    drug = request["context"]["draftOrders"]["entry"][0]["resource"]
    drug["medicationCodeableConcept"]["text"] = f"vitamin B12 {HOSTILE}"
    drug["dosageInstruction"][0]["text"] = HOSTILE
    page.get_by_label("A FHIR Bundle, resources").fill(json.dumps(request))
    page.get_by_role("button", name="Open it").click()
    expect(cards(page).first).to_be_visible()
    for place in ("#chart .name", "#chart .list", "#orders .phases", "#orders .order h3"):
        expect(page.locator(place).first).to_contain_text("<img src=x onerror=alert(1)>")
    card = cards(page).first
    card.get_by_text("Why?").click()
    expect(card.locator(".why")).to_contain_text("<script>alert(2)</script>")
    card.locator("[data-suggestion]").first.click()
    page.locator("#talk summary").first.click()
    expect(page.locator("#talk pre").first).to_be_visible()
    assert page.locator("main img, main script, main a[href^='javascript']").count() == 0
    bold = page.locator("#cards strong, #chart strong, #orders strong").all_inner_texts()
    assert "bold" not in bold


def test_the_page_cannot_make_markup_of_a_text(visit: Open) -> None:
    page = opened(visit, forgives="TrustedHTML")
    refused = page.evaluate(
        """() => { try { document.body.innerHTML = "<p>x"; return ""; }
                   catch (error) { return error.name; } }"""
    )
    assert refused == "TypeError"


# --- what was sent -------------------------------------------------------------------------------


def test_every_call_can_be_seen_and_said_again_with_curl(visit: Open) -> None:
    page = opened(visit, permissions=["clipboard-read", "clipboard-write"])
    entry = page.locator("#talk details").filter(has_text="/cds-services/").first
    entry.locator("summary").click()
    expect(entry.locator("pre").nth(0)).to_contain_text('"hook": "patient-view"')
    expect(entry.locator("pre").nth(1)).to_contain_text('"cards"')
    entry.get_by_role("button", name="Copy as curl").click()
    expect(page.locator("#said")).to_have_text("Copied.")
    command = page.evaluate("navigator.clipboard.readText()")
    assert command.startswith("curl ")
    said = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60, check=True)
    again = [card["summary"] for card in json.loads(said.stdout)["cards"]]
    shown = cards(page).locator("h3").all_inner_texts()
    assert again == [one.replace("\u00a0", " ") for one in shown]  # a unit stays with its number


# --- for everyone -------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [320, 390, 820, 1280, 1920])
def test_no_width_needs_scrolling_sideways(visit: Open, width: int) -> None:
    page = opened(visit, SLIP, width=width)
    page.locator("#orders summary").first.click()
    cards(page).first.get_by_text("Why?").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto("/guideline")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_nothing_moves_for_who_asks_for_stillness(visit: Open) -> None:
    page = opened(visit, reduced_motion="reduce")
    moving = page.evaluate(
        """[...document.querySelectorAll("*")].filter((one) => {
             const style = getComputedStyle(one);
             return parseFloat(style.transitionDuration) > 0 || style.animationName !== "none";
           }).length"""
    )
    assert moving == 0


def test_the_page_is_light_and_from_nowhere_else(visit: Open, base: str) -> None:
    page = visit("about:blank")
    sizes: dict[str, int] = {}
    page.on("response", lambda answer: sizes.update({answer.url: len(answer.body())}))
    page.goto(f"{base}/")
    expect(page.locator("[data-step=open]")).to_be_visible()
    told = (f"{base}/samples", f"{base}/cds-services/", f"{base}/workbench/explain/")
    parts = {url: size for url, size in sizes.items() if not url.startswith(told)}
    assert len(parts) > 10
    assert {url for url in sizes if not url.startswith(f"{base}/")} == set()
    assert sum(parts.values()) < HEAVIEST_BYTES
    ready = page.evaluate("performance.getEntriesByType('navigation')[0].domInteractive")
    assert ready < 5000  # a bound that only a fault breaks, not a measurement


# --- several patients in one record ---------------------------------------------------------------


def test_of_several_patients_one_is_chosen(visit: Open) -> None:
    """As a bulk export writes them: a resource on each line."""
    infants = [
        {"resourceType": "Patient", "id": f"infant-{one}", "birthDate": "2026-01-02",
         "name": [{"family": "Test", "given": [one]}]}
        for one in ("Ada", "Ben")
    ]  # fmt: skip
    page = visit()
    page.get_by_text("Another patient …").click()
    page.get_by_label("A FHIR Bundle, resources").fill("\n".join(map(json.dumps, infants)))
    page.get_by_role("button", name="Open it").click()
    page.get_by_role("button", name="infant-Ben").click()
    expect(page.get_by_text("Ben Test").first).to_be_visible()
