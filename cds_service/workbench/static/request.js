// The request the page sends: the record as loaded, with what was asked "what if", and the orders.

import { add, isDay } from "./days.js";

export const copy = (value) => structuredClone(value);
export const entries = (value) =>
  (value?.resourceType === "Bundle" ? (value.entry ?? []).map((one) => one.resource) : [value]).filter(Boolean);

const bundle = (resources) => ({
  resourceType: "Bundle", type: "searchset", total: resources.length,
  entry: resources.map((resource) => ({ resource })),
});

const dated = (one) =>
  one.effectiveDateTime ?? one.effectiveInstant ?? one.effectivePeriod?.end ?? one.effectivePeriod?.start ?? "";
const STANDS = ["final", "amended", "corrected"];

// The newest valid result with a number; what a control starts from and changes.
export function newest(prefetch, key) {
  const found = entries(prefetch?.[key]).filter(
    (one) => one.resourceType === "Observation" && STANDS.includes(one.status) && one.valueQuantity && !one.focus);
  return found.sort((a, b) => dated(b).localeCompare(dated(a)))[0] ?? null;
}

export const patientOf = (prefetch) =>
  Object.values(prefetch ?? {}).flatMap(entries).find((one) => one.resourceType === "Patient") ?? null;

export function nameOf(patient) {
  const names = Array.isArray(patient?.name) ? patient.name : [];
  const name = names.find((one) => one.use === "official") ?? names[0];
  if (!name) return "";
  return name.text ?? [...[name.given ?? []].flat(), ...[name.family ?? []].flat()].join(" ");
}

function addTo(prefetch, key, resource) {
  const bundled = prefetch[key]?.resourceType === "Bundle";
  if (!bundled) prefetch[key] = bundle([...entries(prefetch[key]), resource]);
  else {
    (prefetch[key].entry ??= []).push({ resource });
    if (typeof prefetch[key].total === "number") prefetch[key].total += 1;
  }
}

function keepOnly(prefetch, key, keep) {
  if (prefetch[key]?.resourceType !== "Bundle") return;
  prefetch[key].entry = (prefetch[key].entry ?? []).filter((one) => keep(one.resource ?? {}));
  if (typeof prefetch[key].total === "number") prefetch[key].total = prefetch[key].entry.length;
}

function changeResult(prefetch, key, quantity, coding, { patientId, on }) {
  let result = newest(prefetch, key);
  if (!result) {
    result = {
      resourceType: "Observation", id: `what-if-${key}`, status: "final",
      subject: { reference: `Patient/${patientId}` }, effectiveDateTime: on,
    };
    addTo(prefetch, key, result);
  }
  result.code = { coding: [coding] };
  result.valueQuantity = { ...quantity, system: "http://unitsofmeasure.org" };
  // the laboratory's own verdict was on another number
  delete result.interpretation;
  delete result.referenceRange;
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

// `loaded` is the request as it came, `edits` what was asked of it, by the key of each control: a
// result's { value, unit }, a problem's "present" or "absent", and under "age" a date of birth.
export function build(loaded, service, edits, basket, selected, setup, on) {
  const patientId = loaded.context.patientId;
  const request = {
    hook: service.hook,
    hookInstance: uuid(),
    context: { userId: loaded.context.userId ?? "Practitioner/example", patientId },
  };
  const edited = Object.values(edits).some((one) => one !== null);
  if (loaded.fhirServer && !edited && !loaded.changed) request.fhirServer = loaded.fhirServer;
  else request.prefetch = copy(loaded.prefetch ?? {});
  const prefetch = request.prefetch;
  const about = { patientId, on, today: setup.today, needs: setup.needs };
  for (const control of setup.desk.controls) {
    const edit = edits[control.key ?? control.kind];
    if (control.kind === "result" && edit) {
      const { unit, coding } = control.units.find((one) => one.unit === edit.unit);
      changeResult(prefetch, control.key, { value: edit.value, unit, code: unit }, coding, about);
    }
    if (control.kind === "problem") {
      changeProblem(prefetch, edit, control, loaded.findings?.[control.key] ?? [], about);
    }
  }
  const patient = patientOf(prefetch);
  if (edits.age && patient) patient.birthDate = edits.age;
  if (service.hook !== "patient-view") {
    request.context.draftOrders = {
      resourceType: "Bundle", type: "collection", entry: basket.map((resource) => ({ resource: copy(resource) })),
    };
  }
  if (service.hook === "order-select") {
    request.context.selections = basket
      .filter((one) => one.resourceType === "MedicationRequest" && (!selected || one.id === selected))
      .map((one) => `${one.resourceType}/${one.id}`);
    if (!request.context.selections.length) {
      request.context.selections = basket.slice(0, 1).map((one) => `${one.resourceType}/${one.id}`);
    }
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
    if (needs[order.resourceType]) addTo(loaded.prefetch, needs[order.resourceType], signed);
  }
}

// A change to something that is on the record already, such as stopping an order.
export function updateRecord(loaded, resource) {
  for (const key of Object.keys(loaded.prefetch ?? {})) {
    for (const entry of loaded.prefetch[key]?.entry ?? []) {
      const one = entry.resource;
      if (one?.resourceType === resource.resourceType && one.id === resource.id) {
        entry.resource = copy(resource);
        loaded.changed = true;
        return true;
      }
    }
  }
  return false;
}

export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // where the page is not loopback or https
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((one) => one.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

export const dayBefore = (day) => add(day, -1);
