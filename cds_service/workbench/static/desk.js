// The desk: which child is open, what is asked "what if", the orders, and the service's answers.
//
// Nothing is shown here. Every change of what is sent takes a turn, and every question bears the
// turns it was asked at: an answer counts only while nothing it depends on has changed since. So
// the last change wins in whatever order answers arrive, nothing is accepted from cards about other
// orders, and nothing is signed but what was checked.

import { copy, documents, isTooDeep, object, objects, oddities, text } from "./read.js";
import { build, isEdited, sign, updateRecord } from "./request.js";
import { Refused, send } from "./wire.js";

const HOOKS = ["patient-view", "order-select", "order-sign"];
const SETTLED_MS = 140; // a slider at rest

export const desk = {
  setup: null, samples: [], on: "", hook: "patient-view",
  story: "", loaded: null, findings: null, oddities: [], edits: {}, basket: [], signed: [], selected: "", drafts: 0,
  asked: {}, dealt: new Map(), signing: null, notice: "", opening: null, refusal: null,
};

let resting = 0; // the timer of an edit that may not be the last
export const isMoving = () => resting !== 0;
let changed = () => {};
// `listener` is given the names of what is to be shown again.
export const onChange = (listener) => (changed = listener);

const turns = { record: 0, orders: 0 };
const turnOf = (hook) => (hook === "patient-view" ? `${turns.record}` : `${turns.record}/${turns.orders}`);

function touched(...what) {
  for (const one of what) turns[one] += 1;
  if (desk.signing?.checking) desk.notice = "Something was changed while the orders were being checked, so nothing was signed. Sign again to have them checked as they are now.";
  else desk.notice = "";
  desk.signing = null;
}

export const serviceOf = (hook) => desk.setup.services.find((one) => one.hook === hook);
export const offered = () => HOOKS.filter(serviceOf);
const noEdits = () => Object.fromEntries(desk.setup.desk.controls.map((one) => [one.key ?? one.kind, null]));

// --- asking --------------------------------------------------------------------------------------

// Whether the answer of a hook is about what is on the desk now, and no newer one is awaited.
export function isCurrent(hook = desk.hook) {
  const asked = desk.asked[hook];
  return Boolean(asked?.answer) && !asked.asking && asked.answer.turn === turnOf(hook);
}

export const cardsOf = (hook = desk.hook) => (isCurrent(hook) ? desk.asked[hook].answer.response.cards : []);

// The answer, or null without one that still counts.
export async function ask(hook = desk.hook) {
  rest();
  const service = serviceOf(hook);
  if (!service || !desk.loaded) return null;
  const asked = (desk.asked[hook] ??= { answer: null, asking: null, error: null, changes: null });
  asked.asking?.stop.abort();
  const asking = (asked.asking = { turn: turnOf(hook), stop: new AbortController() });
  asked.error = null;
  changed("advice");
  const request = build(service, desk);
  const unedited = !isEdited(desk.edits);
  const isAsked = () => asked === desk.asked[hook] && asked.asking === asking;
  try {
    const answer = await answered(service, request, asking.stop.signal);
    if (!isAsked()) return null;
    asked.asking = null;
    if (asking.turn !== turnOf(hook)) return hook === desk.hook ? ask(hook) : (changed("advice"), null);
    asked.changes = asked.answer ? compare(asked.answer, answer) : null;
    asked.answer = { ...answer, request, turn: asking.turn };
    learn(answer.told, unedited);
    if (hook === desk.hook) changed("advice", "chart");
    else changed("advice");
    return asked.answer;
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
    if (!isAsked()) return null;
    Object.assign(asked, { asking: null, answer: null, error: problem });
    changed("advice", "chart");
    return null;
  }
}

async function answered(service, request, signal) {
  const today = desk.on === desk.setup.today;
  const [told, real] = await Promise.all([
    send("POST", `/workbench/explain/${service.id}?on=${desk.on}`, request, { title: "the reasoning", signal }),
    today ? send("POST", `/cds-services/${service.id}`, request, { title: service.hook, signal }) : null]);
  const response = real ?? told?.response;
  if (!Array.isArray(told?.tables) || !told.chart || !Array.isArray(response?.cards)) {
    throw new Refused("The answer is JSON, but not the answer of this service.");
  }
  return { told, response };
}

function learn(told, unedited) {
  if (told.prefetch && !desk.loaded.changed) desk.loaded.prefetch = { ...desk.loaded.prefetch, ...told.prefetch };
  if (!unedited && desk.findings) return;
  const known = JSON.stringify(desk.findings) === JSON.stringify(told.chart.findings) && !told.prefetch;
  desk.findings = told.chart.findings;
  if (!known) changed("controls");
}

function compare(before, after) {
  const fired = ({ told }) => new Set(told.tables.flatMap((table) => table.rows.filter((row) => row.state === "fired").map((row) => row.rule)));
  const [old, now] = [fired(before), fired(after)];
  const come = [...now].filter((one) => !old.has(one));
  const gone = [...old].filter((one) => !now.has(one));
  if (!come.length && !gone.length) return null;
  return { come, gone, instead: adviceOf(before.response), advice: adviceOf(after.response), because: reasons(before.told, after.told, new Set([...come, ...gone])) };
}

// What an answer recommends, or else says first.
function adviceOf({ cards }) {
  const suggestion = cards.flatMap((one) => one.suggestions ?? []).find((one) => one.isRecommended);
  return suggestion?.label ?? cards[0]?.summary ?? "no card";
}

// Of the first table in which a rule changed, what its rules saw that is not as it was: numbers that
// are compared with a limit if there are any. What later tables saw comes of it.
function reasons(before, after, changed) {
  const at = after.tables.findIndex((table) => table.rows.some((row) => changed.has(row.rule)));
  const seen = (told) => told.tables[at].rows.filter((row) => changed.has(row.rule))
    .sort((a, b) => (b.state === "fired") - (a.state === "fired")).flatMap((row) => row.seen ?? []);
  const was = new Map(before.tables[at].rows.flatMap((row) => row.seen ?? []).map((one) => [one.fact, one.value]));
  const now = seen(after);
  const moved = now.filter((one) => was.get(one.fact) !== one.value);
  const some = moved.length ? moved : now;
  const measured = some.filter((one) => one.limit);
  return [...new Map((measured.length ? measured : some).map((one) => [one.fact, one]).reverse()).values()].reverse();
}

export function stopAsking(hook = desk.hook) {
  desk.asked[hook]?.asking?.stop.abort();
}

// Shows a hook, which is asked if what it knows does not count any more.
export function look(hook) {
  desk.hook = hook;
  const asked = desk.asked[hook];
  if (isCurrent(hook) || asked?.asking?.turn === turnOf(hook)) changed("advice", "chart");
  else ask(hook);
}

// --- opening a child -----------------------------------------------------------------------------

// `fetched(signal)` brings the request; the last one opened is shown, and until then no child.
async function open(label, story, fetched, wanted = {}) {
  desk.opening?.stop.abort();
  const opening = (desk.opening = { label, stop: new AbortController() });
  if (desk.signing?.checking) touched("orders");
  desk.refusal = null;
  changed("chooser", "desk");
  try {
    const request = await fetched(opening.stop.signal);
    if (desk.opening !== opening) return false;
    opening.request = request;
    begin(request, story, wanted);
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
    if (desk.opening !== opening) return false;
    desk.opening = null;
    desk.refusal = { text: problem.message, again: problem.exchange ? () => open(label, story, fetched, wanted) : null };
    changed("chooser", "desk");
    return false;
  }
  await ask();
  // What is changed is what the service found, so it must have looked first.
  if (desk.loaded === opening.request && isEdited(wanted.edits ?? {})) edit(wanted.edits, true);
  return desk.story === story;
}

function begin(request, story, wanted) {
  for (const one of Object.values(desk.asked)) one.asking?.stop.abort();
  touched("record", "orders");
  const drafts = objects(object(request.context.draftOrders).entry).map((one) => one.resource).filter((one) => object(one) === one).map(copy);
  const basket = wanted.basket?.length ? wanted.basket : drafts;
  const [selection, ...more] = Array.isArray(request.context.selections) ? request.context.selections : [];
  Object.assign(desk, {
    story, loaded: request, findings: null, oddities: oddities(request), edits: noEdits(), on: wanted.on ?? desk.setup.today,
    hook: wanted.hook ?? (serviceOf(request.hook) ? request.hook : "patient-view"), asked: {}, dealt: new Map(),
    basket, signed: [], selected: more.length ? "" : text(selection).split("/").pop(), drafts: 0, notice: "", opening: null,
  });
  for (const one of basket) if (!text(one.id)) one.id = newId();
  changed("chooser", "desk", "controls");
}

export const openStory = (name, wanted) =>
  open(desk.samples.find((one) => one.name === name)?.tells ?? name, name,
    (signal) => send("GET", `/samples/${encodeURIComponent(name)}/request.json`, undefined, { signal }), wanted);

export const openPasted = (written, patient) => open("what was pasted", "", async (signal) => checked(await requestOf(written, patient, signal)));

async function requestOf(written, patient, signal) {
  const sent = documents(written);
  if (!sent) throw new Refused("What was pasted is not JSON.");
  if (isTooDeep(sent)) throw new Refused("What was pasted is nested too deeply to be a record.");
  if (object(sent).hook !== undefined) return sent;
  const asks = new URLSearchParams(desk.setup.named.slice(1));
  if (patient) asks.set("patient", patient);
  return send("POST", `/workbench/request?${asks}`, written, { title: "a Bundle into a request", signal });
}

function checked(request) {
  const { context, prefetch } = request;
  if (!text(object(context).patientId)) throw new Refused("The request names no patient: context.patientId is missing.");
  if (typeof context.patientId !== "string") throw new Refused("context.patientId is a number, and must be a text.");
  if (prefetch !== undefined && prefetch !== null && object(prefetch) !== prefetch) throw new Refused("prefetch is not an object with an answer for each key.");
  return request;
}

export const openFromServer = (fhirServer, patientId, wanted) =>
  open(`Patient/${patientId}`, "", async () => ({ hook: "patient-view", fhirServer, context: { userId: "Practitioner/example", patientId } }), wanted);

const KEPT = ["story", "loaded", "findings", "oddities", "edits", "on", "hook", "basket", "signed", "selected", "drafts", "dealt"];

// All that was done, but for the answers: they are asked for again.
export const snapshot = () => Object.fromEntries(KEPT.map((name) => [name, desk[name]]));

export function restore(kept) {
  desk.opening?.stop.abort();
  for (const one of Object.values(desk.asked)) one.asking?.stop.abort();
  touched("record", "orders");
  Object.assign(desk, copy(kept), { asked: {}, notice: "", opening: null, refusal: null });
  changed("chooser", "desk", "controls");
  return ask();
}

export function stopOpening() {
  desk.opening?.stop.abort();
}

// --- what if -------------------------------------------------------------------------------------

function rest() {
  clearTimeout(resting);
  resting = 0;
}

// What is given are edits, and `on`, the date; `atOnce` unless more of the kind is to be expected.
export function edit({ on = desk.on, ...edits }, atOnce) {
  desk.on = on;
  Object.assign(desk.edits, edits);
  touched("record");
  rest();
  if (!atOnce) resting = setTimeout(ask, SETTLED_MS);
  changed("advice", "date", ...(atOnce ? ["controls"] : []));
  if (atOnce) ask();
}

export const asRecorded = () => edit({ on: desk.setup.today, ...noEdits() }, true);

// --- the orders ----------------------------------------------------------------------------------

export const newId = () => {
  do desk.drafts += 1; while (desk.basket.some((one) => one.id === `draft-${desk.drafts}`));
  return `draft-${desk.drafts}`;
};

// An order was written or changed: the EHR asks while it is being written.
export function wrote(order) {
  if (!desk.basket.includes(order)) desk.basket.push(order);
  desk.selected = order.id;
  touched("orders");
  if (serviceOf("order-select")) desk.hook = "order-select";
  changed("orders");
  return ask();
}

export function remove(...orders) {
  desk.basket = desk.basket.filter((one) => !orders.includes(one));
  if (!desk.basket.some((one) => one.id === desk.selected)) desk.selected = "";
  touched("orders");
  changed("orders", "advice");
  return desk.hook === "patient-view" ? null : ask();
}

function take(resource) {
  if (!text(resource.id)) resource.id = newId();
  desk.basket.push(resource);
}

// Whether a suggestion may be taken: it is of cards about what is on the desk now.
export function accept(card, suggestion) {
  if (!cardsOf().includes(card) || desk.dealt.get(card.uuid)?.accepted?.has(suggestion.uuid)) return null;
  const service = serviceOf(desk.hook);
  let recordChanged = false;
  for (const { type, resource, resourceId } of suggestion.actions ?? []) {
    const index = desk.basket.findIndex((one) => `${one.resourceType}/${one.id}` === (resourceId ?? `${resource?.resourceType}/${resource?.id}`));
    if (type === "delete") desk.basket = desk.basket.filter((_, place) => place !== index);
    else if (type === "update" && index >= 0) desk.basket[index] = copy(resource);
    else if (type === "update" && updateRecord(desk.loaded, resource)) recordChanged = true;
    else take(copy(resource));
  }
  touched(...(recordChanged ? ["record"] : []), "orders");
  const accepted = new Set([...(desk.dealt.get(card.uuid)?.accepted ?? []), suggestion.uuid]);
  return deal(service, card, { accepted }, "Accepted", { outcome: "accepted", acceptedSuggestions: [{ id: suggestion.uuid }] });
}

export function dismiss(card, reason, comment) {
  const overrideReason = {
    ...(reason ? { reason: { code: reason.code, system: reason.system, display: reason.display } } : {}),
    ...(comment ? { userComment: comment } : {}),
  };
  const given = Object.keys(overrideReason).length ? { overrideReason } : {};
  const done = `Dismissed: ${reason?.display ?? "no reason given"}`;
  return deal(serviceOf(desk.hook), card, { dismissed: true }, done, { outcome: "overridden", ...given });
}

// What was done with a card is shown at once, and what the service said to it when it has said it.
async function deal(service, card, done, words, feedback) {
  const { dealt } = desk; // of this child, whichever child is open when the answer comes
  dealt.set(card.uuid, { ...done, said: `${words}; sending feedback …` });
  changed("orders", "advice", "dealt");
  const item = { card: card.uuid, ...feedback, outcomeTimestamp: new Date().toISOString() };
  let sent = { said: "The service accepted the feedback." };
  try {
    await send("POST", `/cds-services/${service.id}/feedback`, { feedback: [item] }, { title: "feedback" });
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
    sent = { refused: true, said: `The service did not accept the feedback: ${problem.message}` };
  }
  dealt.set(card.uuid, { ...done, ...sent, said: `${words}. ${sent.said}` });
  if (dealt === desk.dealt) changed("advice", "dealt");
}

// --- signing -------------------------------------------------------------------------------------

export const canSign = () => desk.basket.length > 0 && !desk.signing?.checking && Boolean(desk.loaded.prefetch || !desk.loaded.fhirServer);

// Has the orders checked and signs them if there is no card; otherwise `desk.signing` says why not.
// True if they are signed.
export async function signChecked() {
  if (!canSign()) return false;
  const turn = turnOf("order-sign");
  if (!serviceOf("order-sign")) return signAnyway(turn);
  desk.hook = "order-sign";
  desk.notice = "";
  const signing = (desk.signing = { checking: true, turn });
  changed("orders", "advice");
  const answer = await ask("order-sign");
  if (desk.signing !== signing) return false;
  const cards = answer?.response.cards ?? [];
  if (answer && !cards.length) {
    desk.signing = { turn };
    return signAnyway(turn);
  }
  const critical = cards.some((one) => one.indicator === "critical");
  const concern = `${cards.length} ${cards.length === 1 ? "card concerns" : "cards concern"} these orders.`;
  desk.signing = { turn, critical, text: answer ? concern : "The service could not check these orders." };
  changed("orders", "advice");
  return false;
}

// Signs the orders that were checked at `turn`, and no others.
export function signAnyway(turn) {
  if (turn !== turnOf("order-sign") || !desk.basket.length) return false;
  sign(desk.loaded, desk.basket, desk.on, desk.setup.needs);
  desk.signed.push(...desk.basket.map((one) => ({ ...one, status: "active" })));
  Object.assign(desk, { basket: [], selected: "" });
  touched("record", "orders");
  changed("orders");
  look("patient-view");
  return true;
}
