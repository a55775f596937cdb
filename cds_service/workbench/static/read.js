// JSON from outside, of which nothing is certain: what a reader expects, or its nothing.

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

export const object = (value) => (isObject(value) ? value : {});
export const objects = (value) => (Array.isArray(value) ? value.filter(isObject) : []);
export const text = (value) => (typeof value === "string" ? value : typeof value === "number" ? String(value) : "");
export const number = (value) => (typeof value === "number" && Number.isFinite(value) ? value : null);
export const copy = (value) => structuredClone(value);

// The resources of a Bundle, or the resource itself.
export const resources = (value) =>
  (object(value).resourceType === "Bundle" ? objects(value.entry).map((one) => one.resource) : [value]).filter(isObject);

export const codings = (concept) => objects(object(concept).coding);
export const conceptText = (concept) =>
  text(object(concept).text) || text(codings(concept)[0]?.display) || text(codings(concept)[0]?.code);

// Deeper than any record, and not as deep as what ends a recursion.
const DEEPEST = 100;
// What a person pastes: one JSON document, or one on each line; null for what is neither.
export function documents(written) {
  try {
    return JSON.parse(written);
  } catch {
    try {
      return written.split("\n").filter((line) => line.trim()).map((line) => JSON.parse(line));
    } catch {
      return null;
    }
  }
}

// The patients of a Bundle, of a list of resources, or of resources one on each line.
export function patientsIn(written) {
  const sent = documents(written);
  const found = Array.isArray(sent) ? objects(sent) : objects(object(sent).entry).map((one) => object(one.resource));
  return found.filter((one) => one.resourceType === "Patient" && text(one.id));
}

export function isTooDeep(value, left = DEEPEST) {
  if (value === null || typeof value !== "object") return false;
  return left === 0 || Object.values(value).some((one) => isTooDeep(one, left - 1));
}

const kindOf = (value) =>
  value === null ? "null" : value === undefined ? "missing"
    : Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `a ${typeof value}`;

// What this page cannot show of a request, each in a sentence. It is evaluated all the same.
export function oddities(request) {
  const found = [];
  const drafts = object(request.context).draftOrders;
  const list = object(drafts).entry;
  if (drafts !== undefined && !isObject(drafts)) found.push(`context.draftOrders is ${kindOf(drafts)}, not a Bundle: the basket is empty.`);
  else if (list !== undefined && !Array.isArray(list)) found.push(`context.draftOrders.entry is ${kindOf(list)}, not a list: the basket is empty.`);
  (Array.isArray(list) ? list : []).forEach((one, index) => {
    const place = `context.draftOrders.entry[${index}]`;
    if (!isObject(one)) found.push(`${place} is ${kindOf(one)}, not an entry with an order: it is left out of the basket.`);
    else if (!isObject(one.resource)) found.push(`${place}.resource is ${kindOf(one.resource)}, not an order: it is left out of the basket.`);
  });
  const names = patientOf(request.prefetch, request.context.patientId)?.name;
  if (names !== undefined && !Array.isArray(names)) found.push(`The patient's name is ${kindOf(names)}, not a list of names: no name is shown.`);
  (Array.isArray(names) ? names : []).forEach((one, index) => {
    if (!isObject(one)) found.push(`The patient's name[${index}] is ${kindOf(one)}, not a name: it is not shown.`);
  });
  return found;
}

export function patientOf(prefetch, id) {
  const found = Object.values(object(prefetch)).flatMap(resources).filter((one) => one.resourceType === "Patient");
  return found.find((one) => one.id === id) ?? found[0] ?? null;
}

export function nameOf(patient) {
  const names = objects(patient?.name);
  const name = names.find((one) => one.use === "official") ?? names[0] ?? {};
  return text(name.text) || [name.given, name.family].flat().map(text).filter(Boolean).join(" ");
}
