// Choosing a patient: a sample story, a file, or a patient of a FHIR server.

import { field, h, say } from "./dom.js";
import { nameOf, patientsIn, text as textOf } from "./read.js";

let another = null; // made once: what was written in it stays
let zone = null; // the place for files, which opens what is dropped anywhere

// The first stories are where to begin, and say what is to be seen there. Only those that the demo has are shown.
export function chooserOf({ samples, setup, story: chosen, opening, refusal, oddities, loaded }, acts, linked) {
  const { stories } = setup.desk;
  const told = samples.filter((one) => one.request);
  const named = new Map(told.map((one) => [one.name, one]));
  const first = stories.filter((one) => named.has(one.story));
  return [
    told.length > 0 && h("div", { class: "stories", role: "group", "aria-label": "Stories to begin with" },
      first.map(({ story, label }) => h("button", { type: "button", class: story === chosen ? "story chosen" : "story", "aria-pressed": String(story === chosen), onclick: () => acts.story(story) }, label))),
    told.length > 0 && h("button", { type: "button", class: "small", id: "browse", onclick: () => acts.browse() }, `Browse all ${samples.length} stories`),
    h("p", { class: "tells", id: "tells" }, opening ? "" : (named.get(chosen)?.tells ?? "")),
    loaded && !opening && h("p", {}, linked
      ? h("button", { type: "button", class: "small", onclick: acts.copyLink }, "Copy link to this case")
      : h("button", { type: "button", class: "small", onclick: acts.download }, "Download this case")),
    oddities.length > 0 && h("div", { class: "refused", role: "alert" }, h("ul", {}, oddities.map((one) => h("li", {}, one)))),
    refusal && h("p", { class: "error", role: "alert" }, refusal.text, " ",
      refusal.again && h("button", { type: "button", class: "small", onclick: refusal.again }, "Try again")),
    zone ??= dropZone((text) => another.take(text)),
    (another ??= ownPatient(setup.demo, acts, told.length === 0)).place,
  ];
}

// A file can be dropped anywhere on the page, as there is nothing else to do with one.
function dropZone(take) {
  const read = async (file) => file && take(await file.text());
  const file = h("input", { type: "file", class: "quiet", accept: ".json,.ndjson,application/json,application/fhir+json,application/fhir+ndjson",
    onchange: async () => {
      await read(file.files[0]);
      file.value = ""; // the same file can be chosen again
    } });
  const place = h("label", { class: "drop" }, h("strong", {}, "Your own record"), h("span", {}, "Drop a file here, or choose one: a Bundle, resources, NDJSON"), file);
  const over = (event) => event.dataTransfer?.types.includes("Files");
  const lit = (on) => place.classList.toggle("over", on);
  addEventListener("dragover", (event) => {
    if (!over(event)) return;
    event.preventDefault();
    lit(true);
  });
  addEventListener("dragleave", (event) => event.relatedTarget || lit(false));
  addEventListener("drop", (event) => {
    if (!over(event)) return;
    event.preventDefault();
    lit(false);
    read(event.dataTransfer.files[0]);
  });
  return place;
}

// `take(text)` opens a record, or shows its patients if there are several.
function ownPatient(demo, acts, open) {
  const text = h("textarea", { rows: "5", spellcheck: "false", placeholder: '{"resourceType": "Bundle", …}' });
  // Of several patients one is chosen first.
  const choice = h("div", { class: "stories", role: "group", "aria-label": "Patients in this record" });
  const opened = () => {
    const patients = patientsIn(text.value);
    choice.replaceChildren(...(patients.length > 1 ? patients.map((one) =>
      h("button", { type: "button", class: "story", onclick: () => acts.pasted(text.value, textOf(one.id)) }, `${nameOf(one)} (${textOf(one.id)})`)) : []));
    if (patients.length > 1) {
      say(`${patients.length} patients in this record: choose one.`);
      place.open = true;
      choice.scrollIntoView({ block: "nearest" });
    } else acts.pasted(text.value);
  };
  const drop = field("A FHIR Bundle, resources (NDJSON) or a CDS Hooks request: paste it here", text);
  const server = h("input", { type: "url", placeholder: "http://127.0.0.1:8090/fhir", autocomplete: "off", required: true });
  const id = h("input", { type: "text", autocomplete: "off", spellcheck: "false", required: true });
  const place = h("details", { open }, h("summary", {}, "Another patient …"), h("div", { class: "own" }, drop,
    h("button", { type: "button", onclick: opened }, "Open it"), choice,
    demo && h("form", { class: "server", onsubmit: (event) => {
      event.preventDefault();
      acts.fromServer(server.value.trim(), id.value.trim());
    } },
    field("FHIR server, read by the service", server, "Any on this machine; others must be listed in CDS_FHIR_SERVERS."),
    field("Patient id", id), h("button", { type: "submit" }, "Open the chart"))));
  return { place, take(written) {
    text.value = written;
    opened();
  } };
}
