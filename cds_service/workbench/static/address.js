// The address is the state: what is open, at which date, with which facts changed, on which tab. What
// no address should hold, a pasted record above all, is kept with the entry of the history instead,
// in this tab only; so Back and reloading bring back everything.

import { isDay } from "./days.js";
import { desk, isMoving, offered, snapshot } from "./desk.js";
import { objects, text } from "./read.js";

const GUIDELINE = new URLSearchParams(location.search).get("guideline");

// What an address asks for; nothing that the page does not know is taken from it.
export function wanted(address = location) {
  const asked = new URLSearchParams(address.search);
  const edits = {};
  for (const control of desk.setup.desk.controls) {
    const name = control.key ?? control.kind;
    const said = asked.get(name) ?? "";
    const [value, unit] = said.split(" ");
    if (control.kind === "result" && Number(value) > 0 && Number.isFinite(Number(value)) && control.units.some((one) => one.unit === unit)) {
      edits[name] = { value: Number(value), unit };
    } else if (control.kind === "age" && isDate(said)) edits[name] = said;
    else if (control.kind === "problem" && ["present", "absent"].includes(said)) edits[name] = said;
  }
  return {
    story: asked.get("story") ?? "", server: asked.get("server") ?? "", patient: asked.get("patient") ?? "",
    on: isDate(asked.get("on")) ? asked.get("on") : null,
    hook: offered().includes(asked.get("tab")) ? asked.get("tab") : null, edits, basket: basketIn(address.hash),
  };
}

const isDate = (said) => isDay(said) && said.length === 10;

function basketIn(hash) {
  try {
    return objects(JSON.parse(new URLSearchParams(hash.slice(1)).get("basket") ?? "null"));
  } catch {
    return [];
  }
}

function query() {
  const { story, loaded, edits, on, setup, hook } = desk;
  const said = (edit) => (typeof edit === "string" ? edit : `${edit.value} ${edit.unit}`);
  const kept = Object.entries({
    guideline: GUIDELINE, story,
    ...(!story && loaded?.fhirServer ? { server: text(loaded.fhirServer), patient: loaded.context.patientId } : {}),
    on: on === setup.today ? "" : on, tab: hook,
    ...Object.fromEntries(Object.entries(edits).filter(([, edit]) => edit !== null).map(([name, edit]) => [name, said(edit)])),
  }).filter(([, value]) => value);
  return `?${new URLSearchParams(kept)}`;
}

// The address of this case with its orders, to send to others; null for a record that was pasted.
export function link() {
  if (!desk.story && !desk.loaded?.fhirServer) return null;
  const basket = desk.basket.length ? `#${new URLSearchParams({ basket: JSON.stringify(desk.basket) })}` : "";
  return `${location.origin}/${query()}${basket}`;
}

let last = "";
let shown = location.search;
let noting = false;

// Notes the state at once, since a page that is being left is not asked any more: as a new entry of the
// history where something was opened, looked at, taken or signed, and otherwise in place. What comes
// of one act is one entry, and a slider is noted where it comes to rest.
export function remember() {
  if (noting || isMoving()) return;
  noting = true;
  queueMicrotask(note);
}

function note() {
  noting = false;
  if (!desk.loaded || desk.opening) return;
  const now = JSON.stringify([desk.story, desk.loaded.context.patientId, desk.hook, desk.basket.length, desk.signed.length]);
  const how = last && last !== now ? "pushState" : "replaceState";
  last = now;
  try {
    history[how]({ desk: snapshot() }, "", query());
  } catch {
    history[how](null, "", query()); // more than a browser keeps
  }
  shown = location.search;
}

// `back(kept)` is given what was kept with an entry of the history that is gone back to, or null.
export function onBack(back) {
  addEventListener("popstate", (event) => {
    // A link within the page does not open another case.
    if (!event.state && location.search === shown) return;
    last = "";
    shown = location.search;
    back(event.state?.desk ?? null);
  });
}

export const kept = () => history.state?.desk ?? null;
