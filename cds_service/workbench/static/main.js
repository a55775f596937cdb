// The workbench: what is loaded, what is shown, and what happens when.

import { cardsOf } from "./cards.js";
import { chartOf } from "./chart.js";
import { written } from "./days.js";
import { at, h, say, show } from "./dom.js";
import { basketOf, blankOrder } from "./orders.js";
import { chooserOf } from "./patients.js";
import { build, copy, sign, updateRecord } from "./request.js";
import { showTalk } from "./talk.js";
import { controlsOf } from "./whatif.js";
import { Refused, ask, onExchange, send } from "./wire.js";

const FOR = new URLSearchParams(location.search).get("guideline");
const NAMED = FOR ? `?guideline=${encodeURIComponent(FOR)}` : "";
const HOOKS = {
  "patient-view": ["Chart", "The EHR asks when a chart is opened."],
  "order-select": ["Writing", "The EHR asks while an order is written, so that it can still be changed."],
  "order-sign": ["Signing", "The EHR asks a last time before orders are signed."],
};
const state = {
  setup: null, samples: [], story: "", loaded: null, edits: {}, on: "",
  hook: "patient-view", asked: {}, basket: [], signed: [], selected: "", signing: null,
  dealt: new Map(), steps: new Set(), drafts: 0, turn: 0,
};

// --- asking the service --------------------------------------------------------------------------

// What each control is set to: nothing.
const noEdits = () => Object.fromEntries(state.setup.desk.controls.map((one) => [one.key ?? one.kind, null]));

const serviceOf = (hook) => state.setup.services.find((one) => one.hook === hook);
const offered = () => Object.keys(HOOKS).filter(serviceOf);

async function evaluate(hook = state.hook) {
  const service = serviceOf(hook);
  if (!service) return null; // this guideline does not answer this hook
  const turn = (state.turn += 1);
  const before = state.asked[hook];
  const request = build(state.loaded, service, state.edits, state.basket, state.selected, state.setup, state.on);
  const asked = (state.asked[hook] = { request, told: before?.told, response: before?.response, busy: true, turn });
  if (hook === state.hook) showAdvice();
  try {
    const explain = send("POST", `/workbench/explain/${service.id}?on=${state.on}`, request, { title: "the reasoning" });
    const today = state.on === state.setup.today;
    const [told, real] = await Promise.all([
      explain, today ? send("POST", `/cds-services/${service.id}`, request, { title: hook }) : null]);
    if (asked.turn !== state.asked[hook]?.turn) return null;
    const changes = before?.told ? compare(before.told, told) : null;
    Object.assign(asked, { told, response: real ?? told.response, busy: false, error: null, changes });
    if (told.prefetch) state.loaded.prefetch = told.prefetch;
    if (!state.loaded.findings) state.loaded.findings = told.chart.findings;
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
    if (asked.turn !== state.asked[hook]?.turn) return null;
    Object.assign(asked, { busy: false, error: problem, told: null, response: null });
  }
  if (hook === state.hook) {
    showAdvice();
    showChart();
  }
  return asked;
}

function compare(before, after) {
  const fired = (told) => new Set(told.tables.flatMap((table) => table.rows.filter((row) => row.state === "fired").map((row) => row.rule)));
  const [old, now] = [fired(before), fired(after)];
  const come = [...now].filter((one) => !old.has(one));
  const gone = [...old].filter((one) => !now.has(one));
  return come.length || gone.length ? { come, gone } : null;
}

let waiting = 0;
function soon() {
  clearTimeout(waiting);
  waiting = setTimeout(() => again(), 140);
}

// The hook shown is asked now; the others when they are looked at.
function again() {
  clearTimeout(waiting);
  for (const hook of Object.keys(state.asked)) if (hook !== state.hook) state.asked[hook].stale = true;
  return evaluate();
}

function look(hook) {
  state.hook = hook;
  const asked = state.asked[hook];
  if (!asked || asked.stale || asked.error) return evaluate(hook);
  showAdvice();
  showChart();
  return asked;
}

// --- choosing a patient --------------------------------------------------------------------------

async function open(request, story = "") {
  Object.assign(state, {
    story, loaded: request, edits: noEdits(), on: state.setup.today, asked: {}, signed: [],
    selected: "", signing: null, dealt: new Map(), drafts: 0,
    hook: HOOKS[request.hook] ? request.hook : "patient-view",
    basket: (request.context.draftOrders?.entry ?? []).map((one) => copy(one.resource)).filter(Boolean),
  });
  acts.editing.clear();
  state.basket.forEach((one) => (one.id ??= `draft-${(state.drafts += 1)}`));
  if (request.context.selections?.length === 1) state.selected = String(request.context.selections[0]).split("/").pop();
  showChooser();
  showOrders();
  show(at("chart-body"), h("p", { class: "empty" }, "Loading …"));
  await evaluate();
  showControls();
  const title = state.samples.find((one) => one.name === story)?.tells;
  say(`Chart opened. ${title ?? ""}`);
}

async function openStory(name) {
  try {
    const request = await ask(`/samples/${encodeURIComponent(name)}/request.json`);
    history.replaceState(null, "", `?${FOR ? `guideline=${encodeURIComponent(FOR)}&` : ""}story=${encodeURIComponent(name)}`);
    if (name === firstStory()) state.steps = new Set(["open"]);
    await open(request, name);
    showSteps();
  } catch (problem) {
    fail(problem);
  }
}

async function openPasted(text) {
  let sent;
  try {
    sent = JSON.parse(text);
  } catch {
    fail(new Refused("What was pasted is not JSON.", null));
    return;
  }
  try {
    const request = sent?.hook ? sent : await send("POST", `/workbench/request${NAMED}`, text, { title: "a Bundle into a request" });
    if (!request.context?.patientId) throw new Refused("The request names no patient: context.patientId is missing.", null);
    await open(request);
  } catch (problem) {
    fail(problem);
  }
}

function openFromServer(fhirServer, patientId) {
  return open({ hook: "patient-view", fhirServer, context: { userId: "Practitioner/example", patientId } });
}

function fail(problem) {
  if (!(problem instanceof Refused)) throw problem;
  const place = at("choose");
  place.querySelector(".error")?.remove();
  place.append(h("p", { class: "error", role: "alert" }, problem.message));
}

// --- acting --------------------------------------------------------------------------------------

const acts = {
  editing: new Set(), // the drafts whose fields are open

  explained: false, // whether the reasons of the first card are open

  async accept(card, suggestion) {
    if (state.dealt.get(card.uuid)?.accepted?.has(suggestion.uuid)) return;
    let recordChanged = false;
    for (const action of suggestion.actions ?? []) {
      if (action.type === "create") take(copy(action.resource));
      else if (action.type === "update") {
        const index = state.basket.findIndex((one) => one.id === action.resource.id && one.resourceType === action.resource.resourceType);
        if (index >= 0) state.basket[index] = copy(action.resource);
        else if (updateRecord(state.loaded, action.resource)) recordChanged = true;
        else take(copy(action.resource));
      } else if (action.type === "delete") {
        state.basket = state.basket.filter((one) => `${one.resourceType}/${one.id}` !== action.resourceId);
      }
    }
    const before = state.dealt.get(card.uuid);
    const accepted = new Set([...(before?.accepted ?? []), suggestion.uuid]);
    state.dealt.set(card.uuid, { accepted, said: "Accepted; sending feedback …" });
    state.signing = null;
    state.steps.add("treat");
    if (suggestion.label.startsWith("Change")) state.steps.add("mend");
    markStale(recordChanged);
    showOrders();
    showDealt(card);
    const sent = await feedback(card, { outcome: "accepted", acceptedSuggestions: [{ id: suggestion.uuid }] });
    state.dealt.set(card.uuid, { accepted, ...sent, said: `Accepted. ${sent.said}` });
    showDealt(card);
    showSteps();
    say(`Accepted: ${suggestion.label}`);
  },

  async dismiss(card, reason, comment) {
    state.dealt.set(card.uuid, { dismissed: true, said: "Dismissed; sending feedback …" });
    showDealt(card);
    const overrideReason = {
      ...(reason ? { reason: { code: reason.code, system: reason.system, display: reason.display } } : {}),
      ...(comment ? { userComment: comment } : {}),
    };
    const given = Object.keys(overrideReason).length ? { overrideReason } : {};
    const sent = await feedback(card, { outcome: "overridden", ...given });
    state.dealt.set(card.uuid, { dismissed: true, ...sent, said: `Dismissed: ${reason?.display ?? "no reason given"}. ${sent.said}` });
    showDealt(card);
    say("Card dismissed");
  },

  write() {
    const order = blankOrder(state.setup, state.loaded.context.patientId, `draft-${(state.drafts += 1)}`, state.on);
    state.basket.push(order);
    acts.editing.add(order.id);
    return acts.changed(order);
  },

  async changed(order) {
    state.selected = order.id;
    state.signing = null;
    showOrders();
    markStale();
    if (!serviceOf("order-select")) return;
    state.hook = "order-select";
    await evaluate("order-select");
    say("The order was checked while being written");
  },

  async remove(order) {
    state.basket = state.basket.filter((one) => one !== order);
    if (state.selected === order.id) state.selected = "";
    state.signing = null;
    showOrders();
    markStale();
    if (state.hook !== "patient-view") await evaluate();
  },

  empty() {
    state.basket = [];
    return acts.remove({});
  },

  async sign() {
    if (!serviceOf("order-sign")) return acts.signAnyway();
    state.hook = "order-sign";
    markStale();
    const asked = await evaluate("order-sign");
    if (!asked) return;
    state.steps.add("sign");
    const cards = asked.response?.cards ?? [];
    if (asked.error) state.signing = { critical: false, text: "The service could not check these orders." };
    else if (cards.length) {
      const critical = cards.some((one) => one.indicator === "critical");
      if (critical) state.steps.add("caught");
      state.signing = { critical, text: `${cards.length} ${cards.length === 1 ? "card concerns" : "cards concern"} these orders.` };
    } else return acts.signAnyway();
    showOrders();
    showSteps();
    at("advice").focus({ preventScroll: false });
  },

  async signAnyway() {
    sign(state.loaded, state.basket, state.on, state.setup.needs);
    state.signed.push(...state.basket.map((one) => ({ ...one, status: "active" })));
    const count = state.basket.length;
    Object.assign(state, { basket: [], selected: "", signing: null });
    state.steps.add("signed");
    markStale(true);
    showOrders();
    showSteps();
    say(`Signed: ${count} ${count === 1 ? "order is" : "orders are"} on the record now`);
    await look("patient-view");
  },
};

function take(resource) {
  resource.id ??= `draft-${(state.drafts += 1)}`;
  state.basket.push(resource);
}

// The basket is nothing to a chart that is opened; the record is.
function markStale(recordChanged = false) {
  for (const [hook, asked] of Object.entries(state.asked)) {
    if (recordChanged || hook !== "patient-view") asked.stale = true;
  }
}

// The button that was pressed is gone then: its result has the focus.
function showDealt(card) {
  showAdvice();
  const shown = document.querySelector(`[data-card="${CSS.escape(card.uuid ?? "")}"] .outcome`);
  if (document.activeElement === document.body) shown?.focus({ preventScroll: true });
}

async function feedback(card, said) {
  const service = serviceOf(state.hook);
  const item = { card: card.uuid, ...said, outcomeTimestamp: new Date().toISOString() };
  try {
    await send("POST", `/cds-services/${service.id}/feedback`, { feedback: [item] }, { title: "feedback" });
    return { said: "The service accepted the feedback." };
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
    return { refused: true, said: `The service did not accept the feedback: ${problem.message}` };
  }
}

// --- first steps ---------------------------------------------------------------------------------

const STEPS = [
  ["open", "Open a chart", "", () => openStory(firstStory())], // the guideline has the text
  ["treat", "Accept treatment", "One click puts the whole schedule and its follow-up tests into the basket.", acceptRecommended],
  ["slip", "Make a mistake", "Write milligrams where micrograms were meant.", slip],
  ["caught", "Sign: it is caught", "A thousandfold dose is stopped before it is signed.", () => acts.sign()],
  ["mend", "Have it corrected", "The suggestion corrects the dose and nothing else.", acceptRecommended],
  ["signed", "Sign again", "There are no objections left: the orders are on the record.", () => acts.sign()],
];

async function acceptRecommended() {
  const response = state.asked[state.hook]?.response;
  const card = response?.cards?.find((one) => one.suggestions?.some((it) => it.isRecommended) && !state.dealt.has(one.uuid));
  const suggestion = card?.suggestions.find((one) => one.isRecommended);
  if (suggestion) await acts.accept(card, suggestion);
  at("orders").scrollIntoView({ block: "start" });
}

async function slip() {
  const drug = state.basket.find((one) => one.resourceType === "MedicationRequest");
  if (!drug) return;
  for (const dosage of drug.dosageInstruction ?? []) {
    const quantity = dosage.doseAndRate?.[0]?.doseQuantity;
    if (quantity) Object.assign(quantity, { unit: "mg", code: "mg" });
    dosage.text = dosage.text?.replace("µg", "mg");
    delete dosage.maxDosePerPeriod;
  }
  acts.editing.add(drug.id);
  state.steps.add("slip");
  await acts.changed(drug);
  showSteps();
}

const firstStory = () => state.setup.desk.stories[0]?.story;

function showSteps() {
  at("tour").hidden = !state.setup.desk.tour;
  const next = STEPS.findIndex(([name]) => !state.steps.has(name));
  show(at("steps"), STEPS.map(([name, title, text, act], index) => {
    const done = state.steps.has(name);
    return h("li", { class: done ? "done" : index === next ? "next" : "" },
      h("button", { type: "button", "data-step": name, disabled: index !== next && !(index === 0), onclick: act,
        class: index === next ? "primary" : "" }, done ? "✓ " : `${index + 1} `, title),
      h("span", {}, text || state.setup.desk.tour));
  }));
}

// --- showing -------------------------------------------------------------------------------------

function showChooser() {
  show(at("choose"), chooserOf(state.samples, state.setup.desk.stories, state.setup.demo, state.story,
    { story: openStory, pasted: openPasted, fromServer: openFromServer }));
}

function showControls() {
  if (!state.loaded) return;
  const focused = document.activeElement?.id;
  show(at("controls"), controlsOf(state,
    (patch, now) => {
      Object.assign(state.edits, patch);
      edited(now);
    },
    (day, now) => {
      state.on = day;
      edited(now);
    },
    () => {
      Object.assign(state, { edits: noEdits(), on: state.setup.today });
      edited(true);
    }));
  if (focused) at(focused)?.focus({ preventScroll: true });
}

async function edited(now) {
  showAsOf();
  if (!now) {
    at("as-recorded").disabled = false;
    soon();
    return;
  }
  showControls();
  await again();
}

function showAsOf() {
  const other = state.on !== state.setup.today || state.setup.asOfIsSet;
  at("as-of").textContent = `Evaluated as of ${written(state.on)}${other ? ", not today" : ""}.`;
}

function showAdvice() {
  const asked = state.asked[state.hook] ?? {};
  const tabs = offered().map((hook) => {
    const [title] = HOOKS[hook];
    const known = state.asked[hook];
    const count = known?.response?.cards?.length;
    const chosen = hook === state.hook;
    return h("button", { type: "button", role: "tab", id: `tab-${hook}`, "aria-selected": String(chosen), tabindex: chosen ? "0" : "-1",
      "aria-controls": "cards", onclick: () => look(hook) },
    h("span", {}, title), h("code", {}, hook),
    count !== undefined && !known.stale && !known.busy && h("span", { class: "count", "aria-label": `${count} ${count === 1 ? "card" : "cards"}` }, String(count)));
  });
  const focused = document.activeElement?.id;
  show(at("advice-body"),
    h("div", { role: "tablist", "aria-label": "When the EHR asks", onkeydown: arrows }, tabs),
    h("div", { role: "tabpanel", id: "cards", "aria-labelledby": `tab-${state.hook}`, tabindex: "0", "aria-busy": String(Boolean(asked.busy)) },
      h("p", { class: "hint" }, HOOKS[state.hook][1]),
      changesOf(asked),
      bodyOf(asked)));
  if (focused?.startsWith("tab-")) at(`tab-${state.hook}`)?.focus();
  showTalk(at("talk-body"));
}

function arrows(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const hooks = offered();
  const next = hooks[(hooks.indexOf(state.hook) + step + hooks.length) % hooks.length];
  at(`tab-${next}`).focus();
  look(next);
}

function changesOf({ changes }) {
  if (!changes) return null;
  return h("p", { class: "changes", id: "changes" },
    changes.come.length > 0 && h("span", {}, "Now: ", h("strong", {}, changes.come.join(", ")), ". "),
    changes.gone.length > 0 && h("span", {}, "No longer: ", changes.gone.join(", "), "."));
}

function bodyOf({ busy, error, told, response }) {
  if (error) return h("div", { class: "card critical problem", role: "alert" },
    h("header", {}, h("span", { class: "badge" }, "No answer"), h("h3", {}, "The service gave no advice. This is not an all-clear")),
    h("p", {}, error.message), h("p", { class: "hint" }, "What was sent and received is below."),
    h("button", { type: "button", onclick: () => evaluate() }, "Ask again"));
  if (!told) return busy ? h("div", { class: "loading" }, h("p", {}, "Asking the service …")) : h("p", { class: "empty" }, "Choose a patient.");
  return cardsOf(told, response, state.setup, state.dealt, acts);
}

function showChart() {
  const asked = state.asked[state.hook];
  if (asked?.told) show(at("chart-body"), chartOf(asked.told, asked.request, state.loaded.prefetch));
  else show(at("chart-body"), h("p", { class: "empty" }, asked?.error ? "The chart could not be read." : "No chart is open."));
}

function showOrders() {
  const place = at("orders-body");
  const held = document.activeElement?.closest?.("#orders") ? [...place.querySelectorAll("input,select,button")].indexOf(document.activeElement) : -1;
  show(place, basketOf(state.basket, state.signed, state.setup, state.on, acts, state.signing));
  if (held >= 0) place.querySelectorAll("input,select,button")[held]?.focus({ preventScroll: true });
}

// The page of this guideline, and the workbench of the others.
function showElsewhere() {
  const { named, guideline, guidelines } = state.setup;
  at("guideline").href = `/guideline${named}`;
  show(at("others"), guidelines.filter((one) => one.id !== guideline.id).map((one) =>
    h("a", { href: `/?guideline=${encodeURIComponent(one.id)}` }, one.title)));
}

// --- beginning -----------------------------------------------------------------------------------

async function begin() {
  at("what-if-fold").open = matchMedia("(min-width: 48rem)").matches;
  onExchange(() => showTalk(at("talk-body")));
  show(at("choose"), h("p", { class: "empty" }, "Loading …"));
  showTalk(at("talk-body"));
  try {
    state.setup = await ask(`/workbench/setup${NAMED}`);
    state.on = state.setup.today;
    const { edition, local } = state.setup.guideline;
    at("edition").textContent = `Guideline edition ${edition}, pending human review${local.length ? `, with ${local.length} local settings` : ""}.`;
    showElsewhere();
    showAsOf();
    state.samples = state.setup.demo ? (await ask("/samples")).samples : [];
  } catch (problem) {
    show(at("choose"), h("p", { class: "error", role: "alert" }, `The workbench cannot begin. ${problem.message}`),
      h("button", { type: "button", onclick: begin }, "Try again"));
    return;
  }
  showChooser();
  showSteps();
  showAdvice();
  showChart();
  show(at("orders-body"), h("p", { class: "empty" }, "Orders that are accepted or written land here."));
  show(at("controls"), h("p", { class: "empty" }, "Choose a patient first."));
  const wanted = new URLSearchParams(location.search).get("story");
  if (wanted) await openStory(wanted);
}

begin();
