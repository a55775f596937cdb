"""The workbench before a slow service: answers that are held back and come in another order.

What counts is what was done last: the child opened last is shown, the cards are about what is on
the desk, and nothing is signed but what was checked.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from at_the_desk import CLOVER, cards, first_card, opened, step
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.needs_environment("CDS_TEST_CHROMIUM")

Open = Callable[..., Page]

# While `holding`, every answer waits until it is released; one that is no longer wanted comes all
# the same. `sent` has what was asked for advice, and what was answered.
_HOLD = """
window.holding = false; window.held = []; window.sent = [];
const real = window.fetch;
window.fetch = (path, {signal, ...options} = {}) => {
  const answer = real(path, options);
  const call = {path, asked: options.body && JSON.parse(options.body)};
  if (call.asked?.context) sent.push(call);
  answer.then((it) => it.clone().json()).then((heard) => (call.heard = heard), () => {});
  if (!holding) return answer;
  return new Promise((resolve, reject) => held.push(() => answer.then(resolve, reject)));
};
window.releaseLastFirst = async () => {
  const rest = () => new Promise((done) => setTimeout(done, 12));
  for (let quiet = 0; quiet < 3; ) {
    await rest();
    const next = held.pop();
    if (next) { await next(); quiet = 0; } else quiet += 1;
  }
  holding = false;
};
"""

# What a person can press is pressed, and what no one can reach is not.
_ACT = """
window.press = (selector) => {
  const it = [...document.querySelectorAll(selector)].find((one) => !one.disabled && !one.closest("[inert]"));
  it?.click();
  return Boolean(it);
};
window.choose = (selector, value) => {
  const it = document.querySelector(selector);
  if (!it || it.closest("[inert]")) return false;
  it.value = value;
  it.dispatchEvent(new Event("change"));
  return true;
};
"""  # noqa: E501

_STORY = ".stories .story:nth-child({})"
_UNIT = "#orders fieldset:first-of-type .field:nth-child(2) select"
ACTIONS = {
    "open the second story": f"press('{_STORY.format(2)}')",
    "open the sixth story": f"press('{_STORY.format(6)}')",
    "open the first story": f"press('{_STORY.format(1)}')",
    "set B12 to 99": "press('.jump[aria-label^=\"Set vitamin B12 to 99 \"]')",
    "say there are signs": "choose('#neurological-answer', 'present')",
    "move the date": "choose('#date-value', '2027-01-31')",
    "as recorded": "press('#as-recorded')",
    "look at the chart": "press('#tab-patient-view')",
    "look at writing": "press('#tab-order-select')",
    "look at signing": "press('#tab-order-sign')",
    "accept": "press('#cards [data-suggestion]')",
    "write an order": "press('#orders .bar button:first-child')",
    "write mg": f"choose('{_UNIT}', 'mg')",
    "remove an order": "press('#orders .order-head button')",
    "empty the basket": "press('#orders .bar button:last-child')",
    "sign": "press('#sign')",
    "sign as they are": "press('.objection button:last-child')",
    "stop waiting": "press('.asking button, .loading button')",
}


def begun(visit: Open) -> Page:
    """Clover's chart, with her treatment in the basket."""
    page = visit("about:blank")
    page.add_init_script(_HOLD + _ACT)
    page.goto(CLOVER)
    return treated(page)


def treated(page: Page) -> Page:
    expect(page.locator("#chart .facts code")).to_have_text("vegan-mother-low-b12-six-months")
    expect(page.locator("#cards")).to_have_attribute("aria-busy", "false")
    cards(page).first.locator("[data-suggestion]").first.click()
    expect(page.locator("#orders .phases li")).to_have_count(4)
    expect(cards(page).first.locator(".outcome")).to_contain_text("The service")
    return page


_SHOWN = """
() => {
  const hook = document.querySelector("[role=tab][aria-selected=true]").id.slice(4);
  const texts = (selector) => [...document.querySelectorAll(selector)].map((one) => one.textContent.replaceAll("\u00a0", " "));
  return {
    hook, child: texts("#chart .facts code")[0], opening: texts(".loading"),
    busy: document.querySelector("#cards").getAttribute("aria-busy"),
    past: texts("#cards .past").length > 0, error: texts("#cards .problem").length > 0,
    cards: texts("#cards article.card h3"), phases: texts("#orders .phases li"),
    signed: texts("#orders .empty").some((one) => one.includes("on the record now")),
    focused: document.activeElement !== document.body,
    sent: window.sent.map((one) => [one.path, one.asked, one.heard?.response ?? one.heard ?? null]),
  };
}
"""  # noqa: E501


def drugs_of(asked: Any) -> list[Any]:
    entries = asked["context"].get("draftOrders", {"entry": []})["entry"]
    return [one["resource"] for one in entries]


def _as_written(order: Any) -> str:
    return json.dumps({**order, "status": "", "authoredOn": ""}, sort_keys=True)


def check(shown: Any, child: str, *, despite: bool) -> None:
    assert shown["opening"] == []
    assert shown["busy"] == "false", "it waits for ever"
    assert shown["child"] == child
    mine = [one for one in shown["sent"] if one[1]["context"]["patientId"] == child]
    of_hook = [one for one in mine if one[1]["hook"] == shown["hook"]]
    if not (shown["past"] or shown["error"]):
        _, asked, heard = of_hook[-1]
        expected = [one["summary"] for one in heard["cards"]]
        assert shown["cards"] == expected or (not expected and len(shown["cards"]) == 1)
        if shown["hook"] != "patient-view":
            texts = [
                dosage["text"]
                for one in drugs_of(asked)
                if one["resourceType"] == "MedicationRequest"
                for dosage in one["dosageInstruction"]
            ]
            assert shown["phases"] == texts, "the cards are about other orders"
    if shown["signed"]:
        checked = [
            {_as_written(one) for one in drugs_of(asked)}
            for path, asked, heard in mine
            if asked["hook"] == "order-sign" and heard and (despite or heard.get("cards") == [])
        ]
        meds = mine[-1][1]["prefetch"]["meds"]["entry"]
        signed = {_as_written(one["resource"]) for one in meds if one["resource"]["id"]}
        assert any(one and one & signed for one in checked), "what was signed was not checked"


@pytest.mark.parametrize("first", ACTIONS)
def test_of_two_actions_the_last_decides_in_whatever_order_answers_come(
    visit: Open, first: str
) -> None:
    page = begun(visit)
    for second in ACTIONS:
        page.evaluate("holding = true")
        done = {one: page.evaluate(ACTIONS[one]) for one in (first, second)}
        page.evaluate("releaseLastFirst()")
        expect(page.locator("#cards[aria-busy=false]")).to_be_attached()
        opens = [one for one in (first, second) if "open the" in one]
        names = page.evaluate(
            "[...document.querySelectorAll('.story')].map((it) => it.ariaPressed)"
        )
        chosen = names.index("true")
        stopped = "stop waiting" in (first, second)
        if opens and not stopped:
            wanted = {"first": 0, "second": 1, "sixth": 5}[opens[-1].split()[2]]
            assert chosen == wanted, (first, second)
        child = [
            "vegan-mother-low-b12-six-months",
            "hypotonia-regression-severe",
            *[""] * 3,
            "healthy-infant-silent",
        ][chosen]
        shown = page.evaluate(_SHOWN)
        try:
            check(shown, child, despite=done.get("sign as they are", False))
        except AssertionError as fault:
            raise AssertionError(f"{first}, then {second}: {fault}") from fault
        # begin again
        page.evaluate(f"press('{_STORY.format(3)}')")
        expect(page.locator("#chart .facts code")).to_have_text("borderline-no-metabolites")
        page.evaluate("sent.length = 0")
        page.evaluate(f"press('{_STORY.format(1)}')")
        treated(page)


def test_orders_that_change_while_they_are_checked_are_not_signed(visit: Open) -> None:
    page = begun(visit)
    page.evaluate("holding = true")
    page.locator("#sign").click()
    expect(page.locator("#sign")).to_have_text("Being checked …")
    page.get_by_text("Change drug, dose").first.click()
    page.locator(_UNIT).select_option("mg")
    page.evaluate("releaseLastFirst()")
    expect(page.locator("#orders .objection")).to_contain_text("nothing was signed")
    expect(page.locator("#orders .phases li").first).to_contain_text("1000 mg")
    page.locator("#sign").click()
    expect(page.locator(".objection")).to_contain_text("Stopped before signing")
    expect(page.locator("#cards .critical h3")).to_contain_text("1000 mg")
    signs = [one for one in page.evaluate("sent") if one["path"].endswith("-order-sign")]
    assert len(signs) == 2
    assert page.locator("#chart .list").filter(has_text="Medicines").inner_text().count("mg") == 0


def test_a_child_that_is_being_opened_leaves_no_other_to_be_acted_on(visit: Open) -> None:
    page = begun(visit)
    page.evaluate("holding = true")
    page.get_by_role("button", name="Healthy: no card").click()
    expect(page.locator("#chart")).to_contain_text("Opening the chart")
    expect(page.locator("#chart .name")).to_have_count(0)
    for part in ("advice", "orders", "what-if"):
        assert page.locator(f"#{part}").evaluate("it => it.inert")
    page.get_by_role("button", name="Stop waiting").click()
    page.evaluate("releaseLastFirst()")
    expect(page.locator("#chart .facts code")).to_have_text("healthy-infant-silent")


def test_waiting_is_seen_and_can_be_ended(visit: Open) -> None:
    page = opened(visit)
    page.route(re.compile("/(cds-services|workbench/explain)/"), lambda route: None)
    page.locator("#tab-order-select").click()
    expect(page.locator("#cards")).to_have_attribute("aria-busy", "true")
    page.locator("#cards").get_by_role("button", name="Stop waiting").click()
    expect(page.locator("#cards [role=alert]")).to_contain_text("This is not an all-clear")
    page.unroute_all(behavior="ignoreErrors")
    page.get_by_role("button", name="Ask again").click()
    expect(first_card(page)).to_contain_text("B12")


@pytest.mark.parametrize("path", ["/workbench/setup", "/samples", "request.json", "explain"])
def test_no_request_waits_for_ever_and_each_can_be_repeated(visit: Open, path: str) -> None:
    page = visit("about:blank")
    page.clock.install()
    page.route(re.compile(f"{path}(\\?|$|/)"), lambda route: None)
    page.goto(CLOVER)
    page.wait_for_timeout(300)
    again = page.get_by_role("button", name=re.compile("Try again|Ask again"))
    for _ in range(40):
        page.clock.run_for(1000)
        if again.count():
            break
        page.wait_for_timeout(30)
    expect(page.locator("main [role=alert]").first).to_contain_text("No answer within 20 seconds")
    page.unroute_all(behavior="ignoreErrors")
    again.click()
    expect(first_card(page)).to_contain_text("B12")


@pytest.mark.parametrize("width", [390, 820, 1440])
def test_the_guide_is_walked_before_a_service_that_takes_its_time(visit: Open, width: int) -> None:
    page = visit("about:blank", width=width)
    chance = random.Random(width)
    delays = [round(chance.uniform(0, 3000)) for _ in range(97)]
    page.add_init_script(
        f"const delays = {delays}; let asked = 0; const real = window.fetch;"
        "window.fetch = async (...all) => { await new Promise((done) =>"
        " setTimeout(done, delays[(asked += 1) % delays.length])); return real(...all); };"
    )
    page.goto("/")
    for name in ("open", "treat", "slip", "caught", "mend", "signed"):
        step(page, name)
    expect(page.locator("#steps .done")).to_have_count(6)
    expect(page.locator("#orders .empty")).to_contain_text("on the record now")
    expect(page.locator("#chart .list").filter(has_text="Medicines")).to_contain_text("1 mg/mL")
    expect(page.locator("#chart")).not_to_contain_text("1000 mg ")
