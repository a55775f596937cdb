// The workbench: what of the desk is shown where, and what happens when someone acts.

import { kept, link, onBack, remember, wanted } from "./address.js";
import { cardsOf } from "./cards.js";
import { chartOf } from "./chart.js";
import { written } from "./days.js";
import {
  accept, asRecorded, ask, canSign, desk, dismiss, edit, isCurrent, look, newId, offered, onChange, openFromServer, openPasted,
  openStory, remove, restore, signAnyway, signChecked, stopAsking, stopOpening, wrote,
} from "./desk.js";
import { at, h, say, show } from "./dom.js";
import { guideOf, restart, underWay } from "./guide.js";
import { basketOf, blankOrder } from "./orders.js";
import { chooserOf } from "./patients.js";
import { isEdited } from "./request.js";
import { showTalk } from "./talk.js";
import { controlsOf } from "./whatif.js";
import { Refused, ask as fetched, onExchange } from "./wire.js";

const FOR = new URLSearchParams(location.search).get("guideline");
const NAMED = FOR ? `?guideline=${encodeURIComponent(FOR)}` : "";
const TABS = {
  "patient-view": ["Chart", "The EHR asks when a chart is opened."],
  "order-select": ["Writing", "The EHR asks while an order is written, so that it can still be changed."],
  "order-sign": ["Signing", "The EHR asks a last time before orders are signed."],
};

// --- acting --------------------------------------------------------------------------------------

async function opened(opening) {
  restart();
  if (await opening) say(`Chart opened. ${desk.samples.find((one) => one.name === desk.story)?.tells ?? ""}`);
}

// What few need is fetched when it is wanted.
async function fetchPart(name, then) {
  let part;
  try {
    part = await import(`./${name}.js`);
  } catch {
    say("The service cannot be reached.");
    return;
  }
  then(part);
}

const choosing = {
  story: (name, asked) => opened(openStory(name, asked)),
  pasted: (text, patient) => opened(openPasted(text, patient)),
  fromServer: (server, id, asked) => opened(openFromServer(server, id, asked)),

  browse: (words) => fetchPart("stories", (part) => part.browse(desk, choosing.story, words)),

  async copyLink() {
    try {
      await navigator.clipboard.writeText(link());
      say("Copied.");
    } catch {
      say("The browser does not allow copying here; copy the address of the page instead.");
    }
  },

  download() {
    const made = new Blob([JSON.stringify(desk.loaded, null, 1)], { type: "application/json" });
    const address = URL.createObjectURL(made);
    h("a", { href: address, download: "case.json" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  },
};

// What the address asks for, or else the first story.
function openWanted() {
  const asked = wanted();
  if (asked.server && asked.patient) return choosing.fromServer(asked.server, asked.patient, asked);
  const story = asked.story || (desk.samples.some((one) => one.request) ? desk.setup.desk.stories[0]?.story : "");
  return story ? choosing.story(story, asked) : null;
}

const acts = {
  editing: new Set(), // the drafts whose fields are open
  explained: false, // whether the reasons of the first card are open
  alone: false, // whether the guide was let go

  async accept(card, suggestion) {
    if ((await accept(card, suggestion)) !== null) say(`Accepted: ${suggestion.label}`);
  },

  async dismiss(card, reason, comment) {
    await dismiss(card, reason, comment);
    say("Card dismissed");
  },

  write() {
    const order = blankOrder(desk.setup, desk.loaded.context.patientId, newId(), desk.on);
    acts.editing.add(order.id);
    return acts.changed(order);
  },

  async changed(order) {
    if (await wrote(order)) say("The order was checked while being written");
  },

  remove: (order) => remove(order),
  empty: () => remove(...desk.basket),

  async sign() {
    const refused = at("orders").querySelector("[aria-invalid]");
    if (refused) {
      refused.focus();
      return;
    }
    if (!canSign()) return;
    concluded(desk.basket.length, await signChecked());
  },

  signAnyway(turn) {
    concluded(desk.basket.length, signAnyway(turn));
  },

  asOf: (day) => edit({ on: day }, true),

  cards() {
    look("order-sign");
    at("advice").focus();
  },
};

function concluded(count, signed) {
  if (signed) {
    say(`Signed: ${count} ${count === 1 ? "order is" : "orders are"} on the record now`);
    at("orders").focus({ preventScroll: true });
  } else if (desk.signing && desk.hook === "order-sign") at("advice").focus({ preventScroll: false });
}

const EFFECTS = { // what a step of the guide changes
  open: "#cards article", treat: "#orders .order", slip: "#cards article", caught: "#cards article", mend: "#orders .order", signed: "#orders .empty",
};

// The effect of a step is in view and marked, and the focus is on the next step.
function stepped(name) {
  const effect = document.querySelector(EFFECTS[name]);
  document.querySelector(".lit")?.classList.remove("lit");
  effect?.classList.add("lit");
  effect?.scrollIntoView({ block: "start" });
  const next = document.querySelector("#steps .next button");
  (next ?? at("tour")).focus({ preventScroll: true });
}

// --- showing -------------------------------------------------------------------------------------

const SHOWN = { advice: showAdvice, chart: showChart, orders: showOrders, controls: showControls, chooser: showChooser, date: showAsOf, desk: showDesk, dealt: showDealt };

onChange((...what) => {
  for (const one of what) SHOWN[one]();
  showSteps();
  remember();
});

function showDesk() {
  // Until the next child is here, nothing can be done for the last one.
  for (const id of ["what-if", "advice", "orders"]) at(id).inert = Boolean(desk.opening);
  showAsOf();
  showChart();
  if (desk.opening) return;
  acts.editing.clear();
  showAdvice();
  showOrders();
}

function showChooser() {
  show(at("choose"), chooserOf(desk, choosing, link() !== null));
}

function showControls() {
  if (desk.loaded) show(at("controls"), controlsOf(desk, edit, asRecorded));
}

function showAsOf() {
  const other = desk.on !== desk.setup.today || desk.setup.asOfIsSet;
  at("as-of").textContent = `Evaluated as of ${written(desk.on)}${other ? ", not today" : ""}.`;
  const button = at("as-recorded");
  if (button) button.disabled = !isEdited(desk.edits) && desk.on === desk.setup.today;
}

function showSteps() {
  const tour = at("tour");
  tour.hidden = !desk.setup.desk.tour;
  show(at("steps"), guideOf(stepped));
  const now = underWay();
  tour.classList.toggle("under-way", Boolean(now) && !acts.alone);
  at("step-of").textContent = now ? `Step ${now.step} of ${now.of}` : "";
}

function leaveGuide() {
  acts.alone = true;
  showSteps();
  document.querySelector("#steps .next button")?.focus();
}

function showAdvice() {
  const asked = desk.asked[desk.hook] ?? {};
  const tabs = offered().map((hook) => {
    const [title] = TABS[hook];
    const count = isCurrent(hook) ? desk.asked[hook].answer.response.cards.length : null;
    const chosen = hook === desk.hook;
    return h("button", { type: "button", role: "tab", id: `tab-${hook}`, "aria-selected": String(chosen), tabindex: chosen ? "0" : "-1",
      "aria-controls": "cards", onclick: () => look(hook) },
    h("span", {}, title), h("code", {}, hook),
    count !== null && h("span", { class: "count" }, String(count), h("span", { class: "quiet" }, count === 1 ? " card" : " cards")));
  });
  show(at("advice-body"),
    h("div", { role: "tablist", "aria-label": "When the EHR asks", onkeydown: arrows }, tabs),
    h("div", { role: "tabpanel", id: "cards", "aria-labelledby": `tab-${desk.hook}`, tabindex: "0", "aria-busy": String(Boolean(asked.asking)) },
      h("p", { class: "hint" }, TABS[desk.hook][1]),
      asked.asking && asking(),
      !asked.asking && asked.answer && !isCurrent() && outdated(),
      isCurrent() && changesOf(asked),
      bodyOf(asked)));
  showTalk(at("talk-body"));
}

const asking = () => h("p", { class: "asking" }, h("span", { class: "turning", "aria-hidden": "true" }), " Asking the service … ",
  h("button", { type: "button", class: "small", onclick: () => stopAsking() }, "Stop waiting"));

const outdated = () => h("p", { class: "asking" }, "These cards are about the record and the orders as they were before. ",
  h("button", { type: "button", class: "small", onclick: () => ask() }, "Ask again"));

function arrows(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const hooks = offered();
  const next = hooks[(hooks.indexOf(desk.hook) + step + hooks.length) % hooks.length];
  at(`tab-${next}`).focus();
  look(next);
}

// What a changed fact changed: the advice and why; the rules that fire now, each with what it saw, and
// those that do not any more.
let announced = null;

function changesOf({ changes, answer }) {
  if (!changes) return null;
  const moved = changes.advice !== changes.instead;
  const because = changes.because.map(({ fact, value, compared, limit }) =>
    (limit ? `${value} is ${compared} (${fact})` : `${fact}: ${value}${compared ? ` (${compared})` : ""}`)).join(", and ");
  const sentence = [moved ? `Now: ${changes.advice}.` : "The advice is the same, other rules lead to it.", moved && `Instead of: ${changes.instead}.`, because && `Because ${because}.`].filter(Boolean);
  if (changes !== announced) say(sentence.join(" "));
  announced = changes;
  const rows = new Map(answer.told.tables.flatMap((table) => table.rows.map((row) => [row.rule, row])));
  return h("div", { class: "changes", id: "changes" },
    sentence.map((one, index) => h("p", {}, index ? one : h("strong", {}, one))),
    h("details", {}, h("summary", {}, "The rules that changed"),
    changes.come.length > 0 && [h("p", {}, "These fire now:"), h("ul", {}, changes.come.map((rule) => {
      const { condition, why } = rows.get(rule);
      return h("li", {}, h("strong", {}, rule), ` ${condition} `, why?.length > 0 && h("span", { class: "muted" }, `Because ${why.join("; ")}.`));
    }))],
    changes.gone.length > 0 && h("p", {}, "No longer: ", changes.gone.join(", "), ".")));
}

function bodyOf({ asking: underWay, error, answer }) {
  if (error) return h("div", { class: "card critical problem", role: "alert" },
    h("header", {}, h("span", { class: "badge" }, "No answer"), h("h3", {}, "The service gave no advice. This is not an all-clear")),
    h("p", {}, error.message), h("p", { class: "hint" }, "What was sent and received is below."),
    h("button", { type: "button", onclick: () => ask() }, "Ask again"));
  if (!answer) return underWay ? null : h("p", { class: "empty" }, "Choose a patient.");
  return cardsOf(answer, isCurrent(), desk, acts);
}

function showChart() {
  const asked = desk.asked[desk.hook];
  const waiting = (text, stop) => h("p", { class: "empty loading" }, h("span", { class: "turning", "aria-hidden": "true" }), ` ${text} `,
    stop && h("button", { type: "button", class: "small", onclick: stop }, "Stop waiting"));
  if (desk.opening) show(at("chart-body"), waiting(`Opening the chart: ${desk.opening.label}`, stopOpening));
  else if (asked?.answer) show(at("chart-body"), chartOf(asked.answer, desk, () => fetchPart("summary", (part) => part.printSummary(asked.answer, desk, link()))));
  else if (asked?.asking) show(at("chart-body"), waiting("Reading the chart …"));
  else show(at("chart-body"), h("p", { class: "empty" }, asked?.error ? "The chart could not be read." : "No chart is open."));
}

function showOrders() {
  if (desk.loaded) show(at("orders-body"), basketOf(desk, canSign(), acts));
  else show(at("orders-body"), h("p", { class: "empty" }, "Orders that are accepted or written are shown here."));
}

// The button that was pressed is gone then: its result has the focus.
function showDealt() {
  const lost = document.activeElement;
  if (lost !== document.body && lost?.id !== "cards" && lost?.id !== "advice") return;
  const card = [...desk.dealt.keys()].at(-1);
  document.querySelector(`[data-card="${CSS.escape(card ?? "")}"] .outcome`)?.focus({ preventScroll: true });
}

// The page of this guideline, and the workbench of the others.
function showElsewhere() {
  const { named, guideline, guidelines } = desk.setup;
  at("guideline").href = `/guideline${named}`;
  show(at("others"), guidelines.filter((one) => one.id !== guideline.id).map((one) =>
    h("a", { href: `/?guideline=${encodeURIComponent(one.id)}` }, one.title)));
}

// --- beginning -----------------------------------------------------------------------------------

async function begin() {
  const words = kept() ? "" : new URLSearchParams(location.search).get("find");
  at("what-if-fold").open = matchMedia("(min-width: 48rem)").matches;
  at("leave").addEventListener("click", leaveGuide);
  // What is scrolled to comes to lie below the guide.
  new ResizeObserver(() => {
    const height = at("tour").classList.contains("under-way") ? at("tour").offsetHeight : 0;
    document.documentElement.style.setProperty("--guide", `${height}px`);
  }).observe(at("tour"));
  onExchange(() => showTalk(at("talk-body")));
  show(at("choose"), h("p", { class: "empty" }, "Loading …"));
  showTalk(at("talk-body"));
  try {
    desk.setup = await fetched(`/workbench/setup${NAMED}`);
    desk.on = desk.setup.today;
    desk.samples = desk.setup.demo ? (await fetched("/samples")).samples : [];
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
    show(at("choose"), h("p", { class: "error", role: "alert" }, `The workbench cannot begin. ${problem.message}`),
      h("button", { type: "button", onclick: begin }, "Try again"));
    return;
  }
  const { edition, local } = desk.setup.guideline;
  at("edition").textContent = `Guideline edition ${edition}, pending human review${local.length ? `, with ${local.length} local settings` : ""}.`;
  showElsewhere();
  showChooser();
  showDesk();
  showSteps();
  show(at("controls"), h("p", { class: "empty" }, "Choose a patient first."));
  onBack((state) => (state ? restore(state) : openWanted()));
  if (kept()) await restore(kept());
  else await openWanted();
  if (words && desk.samples.length) choosing.browse(words);
}

begin();
