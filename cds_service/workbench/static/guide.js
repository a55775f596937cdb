// The guide: six steps from an open chart to a caught error and its correction.

import { accept, ask, canSign, cardsOf, desk, openStory, signChecked, wrote } from "./desk.js";
import { h } from "./dom.js";
import { object, objects } from "./read.js";

const first = () => desk.setup.desk.stories[0]?.story;

function recommended() {
  for (const card of cardsOf()) {
    const suggestion = card.suggestions?.find((one) => one.isRecommended);
    if (suggestion && !desk.dealt.has(card.uuid)) return [card, suggestion];
  }
  return null;
}

const take = () => accept(...recommended());
const dosed = () => desk.basket.find((one) => one.resourceType === "MedicationRequest" && quantitiesOf(one).length);
const quantitiesOf = (order) =>
  objects(order.dosageInstruction).flatMap((one) => objects(one.doseAndRate)).map((one) => object(one.doseQuantity));

// Milligrams where micrograms were meant.
function slip() {
  const drug = dosed();
  for (const quantity of quantitiesOf(drug)) Object.assign(quantity, { unit: "mg", code: "mg" });
  for (const dosage of objects(drug.dosageInstruction)) {
    if (dosage.text) dosage.text = String(dosage.text).replace(/µg|micrograms?/, "mg");
    delete dosage.maxDosePerPeriod;
  }
  return wrote(drug);
}

const STEPS = [
  { name: "open", title: "Open a chart", act: () => openStory(first()), can: () => true }, // the guideline has the text
  { name: "treat", title: "Accept treatment", text: "One click puts the whole schedule and its follow-up tests into the basket.", act: take, can: recommended },
  { name: "slip", title: "Make a mistake", text: "Write milligrams where micrograms were meant.", act: slip, can: dosed },
  { name: "caught", title: "Sign: it is caught", text: "A thousandfold dose is stopped before it is signed.", act: signChecked, can: canSign },
  { name: "mend", title: "Have it corrected", text: "The suggestion corrects the dose and nothing else.", act: take, can: recommended },
  { name: "signed", title: "Sign again", text: "There are no objections left: the orders are on the record.", act: signChecked, can: canSign },
];

// A step is done when what it is for has happened, by its button or otherwise.
const HAPPENED = {
  open: () => desk.story === first() && desk.asked[desk.hook]?.answer,
  treat: () => dosed(),
  slip: () => quantitiesOf(dosed() ?? {}).some((one) => one.code === "mg"),
  caught: () => desk.signing?.critical,
  mend: () => dosed() && !quantitiesOf(dosed()).some((one) => one.code === "mg"),
  signed: () => desk.signed.length && !desk.basket.length,
};
let done = 0;
let taken = false; // whether a step was taken with its button

export function restart() {
  done = 0;
  taken = false;
}

// Which step of how many is next while the guide is under way, or null: a chart is open from the start.
export const underWay = () => ((taken || done > 1) && done < STEPS.length ? { step: done + 1, of: STEPS.length } : null);

// `acted` receives the step that was taken, when it is over.
export function guideOf(acted) {
  while (done < STEPS.length && HAPPENED[STEPS[done].name]()) done += 1;
  return STEPS.map(({ name, title, text, act, can }, index) => {
    const next = index === done;
    const ready = Boolean(index === 0 || (next && !desk.opening && desk.loaded && can()));
    return h("li", { class: index < done ? "done" : next ? "next" : "" },
      h("button", { type: "button", "data-step": name, "data-focus": `step ${name}`, class: next ? "primary" : "", "aria-disabled": String(!ready),
        "aria-current": next ? "step" : null, onclick: async () => {
          if (!ready) return;
          if (index === 0) restart();
          taken = true;
          await act();
          acted(name);
        } }, index < done ? "✓ " : `${index + 1} `, title),
      h("span", {}, text ?? desk.setup.desk.tour));
  });
}
