// The request the page sends: the record as loaded, with what was asked "what if", and the orders.

import { isDay } from "./days.js";
import { codings, copy, object, objects, patientOf, resources, text } from "./read.js";

const UCUM = "http://unitsofmeasure.org";

const bundle = (of) => ({
  resourceType: "Bundle", type: "searchset", total: of.length, entry: of.map((resource) => ({ resource })),
});

const dated = (one) =>
  text(one.effectiveDateTime) || text(one.effectiveInstant) || text(object(one.effectivePeriod).end) || text(object(one.effectivePeriod).start);

// The day of the last result that a request has, or "".
export const lastDay = (prefetch) =>
  Object.values(object(prefetch)).flatMap(resources).map((one) => dated(one).slice(0, 10)).filter(isDay).sort().at(-1) ?? "";

const addressOf = (one) => `${one.resourceType}/${one.id || "(no id)"}`;

// The part of an Observation that a control is bound to: the component or the whole that has one of
// its codes.
function partOf(observation, { codes }) {
  const coded = (one) => codings(one.code).some((it) => codes.some((code) => code.code === it.code && code.system === it.system));
  return [...objects(observation.component), observation].find(coded) ?? null;
}

// Every copy of the result that a control is bound to: `addresses` is the result that the service
// reads for it, and its code must be one of the control's.
function bound(prefetch, control, addresses) {
  const found = Object.values(object(prefetch)).flatMap(resources)
    .filter((one) => one.resourceType === "Observation" && addresses.includes(addressOf(one)) && partOf(one, control));
  const newest = found.map(dated).sort().at(-1);
  return found.filter((one) => dated(one) === newest).map((one) => [one, partOf(one, control)]);
}

export const recordedOf = (prefetch, control, findings) =>
  bound(prefetch, control, object(findings)[control.key] ?? [])[0]?.[1] ?? null;

function addTo(prefetch, key, resource) {
  const held = prefetch[key];
  if (object(held).resourceType !== "Bundle") prefetch[key] = bundle([...resources(held), resource]);
  else {
    held.entry = [...objects(held.entry), { resource }];
    if (typeof held.total === "number") held.total += 1;
  }
}

function keepOnly(prefetch, key, keep) {
  const held = object(prefetch[key]);
  if (held.resourceType !== "Bundle") return;
  held.entry = objects(held.entry).filter((one) => keep(object(one.resource)));
  if (typeof held.total === "number") held.total = held.entry.length;
}

function changeResult(prefetch, control, { value, unit }, findings, { patientId, on }) {
  const { coding } = control.units.find((one) => one.unit === unit);
  let targets = bound(prefetch, control, findings[control.key] ?? []);
  if (!targets.length) {
    const result = {
      resourceType: "Observation", id: `what-if-${control.key}`, status: "final",
      subject: { reference: `Patient/${patientId}` }, effectiveDateTime: on,
    };
    addTo(prefetch, control.key, result);
    targets = [[result, result]];
  }
  for (const [observation, part] of targets) {
    part.code = { coding: [coding] };
    for (const name of Object.keys(part)) if (name.startsWith("value")) delete part[name];
    part.valueQuantity = { value, unit, code: unit, system: UCUM };
    // the laboratory's own verdict was on another number
    for (const one of [part, observation]) for (const name of ["interpretation", "referenceRange", "dataAbsentReason"]) delete one[name];
  }
}

function changeProblem(prefetch, answer, { key, coding }, sources, { patientId, on, today, needs }) {
  if (answer === "absent") {
    const out = new Set(sources);
    for (const need of [needs.Condition, needs.Procedure]) {
      keepOnly(prefetch, need, (one) => !out.has(`${one.resourceType}/${one.id}`));
    }
  } else if (answer === "present") {
    const status = (system, code) => ({
      coding: [{ system: `http://terminology.hl7.org/CodeSystem/condition-${system}`, code }],
    });
    addTo(prefetch, needs.Condition, {
      resourceType: "Condition", id: `what-if-${key}`, clinicalStatus: status("clinical", "active"),
      verificationStatus: status("ver-status", "confirmed"), code: { coding: [coding], text: coding.display },
      subject: { reference: `Patient/${patientId}` }, onsetDateTime: on < today ? on : today,
    });
  }
}

export const isEdited = (edits) => Object.values(edits).some((one) => one !== null);

// `loaded` is the request as it came, `findings` what the service read in it for each control,
// `edits` what was asked of it, by the key of each control: a result's { value, unit }, a problem's
// "present" or "absent", and under "age" a date of birth.
export function build(service, { loaded, findings, edits, basket, selected, setup, on }) {
  const patientId = loaded.context.patientId;
  const request = {
    hook: service.hook,
    hookInstance: uuid(),
    context: { userId: text(loaded.context.userId) || "Practitioner/example", patientId },
  };
  if (loaded.fhirServer && !isEdited(edits) && !loaded.changed) request.fhirServer = loaded.fhirServer;
  else request.prefetch = copy(loaded.prefetch ?? {});
  const prefetch = request.prefetch;
  const about = { patientId, on, today: setup.today, needs: setup.needs };
  for (const control of setup.desk.controls) {
    const edit = edits[control.key ?? control.kind];
    if (control.kind === "result" && edit) changeResult(prefetch, control, edit, object(findings), about);
    if (control.kind === "problem") changeProblem(prefetch, edit, control, object(findings)[control.key] ?? [], about);
  }
  if (edits.age) {
    for (const held of Object.values(prefetch).flatMap(resources)) {
      if (held.resourceType === "Patient" && (held.id === patientId || held === patientOf(prefetch, patientId))) held.birthDate = edits.age;
    }
  }
  if (service.hook !== "patient-view") {
    request.context.draftOrders = {
      resourceType: "Bundle", type: "collection", entry: basket.map((resource) => ({ resource: copy(resource) })),
    };
  }
  if (service.hook === "order-select") {
    const reference = (one) => `${one.resourceType}/${one.id}`;
    const drugs = basket.filter((one) => one.resourceType === "MedicationRequest" && (!selected || one.id === selected));
    request.context.selections = (drugs.length ? drugs : basket.slice(0, 1)).map(reference);
  }
  return request;
}

// Signed orders are part of the record from then on.
export function sign(loaded, basket, on, needs) {
  loaded.prefetch ??= {};
  loaded.changed = true;
  for (const order of basket) {
    const signed = { ...copy(order), status: "active" };
    signed.authoredOn = isDay(signed.authoredOn) ? signed.authoredOn : on;
    const need = Object.hasOwn(needs, signed.resourceType) && needs[signed.resourceType];
    if (need) addTo(loaded.prefetch, need, signed);
  }
}

// A change to something that is on the record already, such as stopping an order.
export function updateRecord(loaded, resource) {
  let changed = false;
  for (const held of Object.values(object(loaded.prefetch))) {
    for (const entry of objects(object(held).entry)) {
      const one = object(entry.resource);
      if (one.resourceType !== resource.resourceType || one.id !== resource.id) continue;
      entry.resource = copy(resource);
      loaded.changed = changed = true;
    }
  }
  return changed;
}

export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // where the page is not loopback or https
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((one) => one.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
