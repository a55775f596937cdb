// The guideline's page: a section opens where an address leads into it, and a search leaves what has
// every word. Without this the page folds, and can be read, all the same.

const SETTLED_MS = 150; // between two letters
const main = document.querySelector("main");
const [box, found, unfold] = ["find", "found", "unfold"].map((id) => document.getElementById(id));
const folds = [...main.querySelectorAll("details")];

// What is found or not: a row of a table, an item of a list, a paragraph. A row of a section of the
// third level has the words of its heading too, so that what a card is called finds all of it.
function entriesOf(place) {
  if (place.matches(".scroll")) return [...place.querySelectorAll("tbody > tr")];
  return place.matches("ul, ol") ? [...place.children] : [place];
}

const headingOf = (fold) => fold.querySelector(":scope > summary > h3")?.textContent ?? "";
const entries = [main, ...folds].flatMap((fold) => [...fold.children]
  .filter((one) => !one.matches("summary, details, h1, .search"))
  .flatMap(entriesOf)
  .map((element) => ({ element, words: `${element.textContent} ${headingOf(fold)}`.toLowerCase() })));

let openBefore = null; // what was open before the search

function search() {
  const words = box.value.toLowerCase().split(/\s+/).filter((one) => one);
  const searching = words.join("").length > 1;
  if (searching) openBefore ??= folds.filter((one) => one.open);
  let count = 0;
  const around = new Set();
  for (const { element, words: has } of entries) {
    element.hidden = searching && !words.every((one) => has.includes(one));
    if (element.hidden) continue;
    count += 1;
    for (let fold = element.closest("details"); fold; fold = fold.parentElement?.closest("details")) around.add(fold);
  }
  for (const fold of folds) {
    fold.hidden = searching && !around.has(fold);
    if (searching) fold.open = !fold.hidden;
    else if (openBefore) fold.open = openBefore.includes(fold);
  }
  for (const table of main.querySelectorAll(".scroll")) table.hidden = !table.querySelector("tbody > tr:not([hidden])");
  if (!searching) openBefore = null;
  found.textContent = !searching ? "" : count ? `Found in ${count} ${count === 1 ? "place" : "places"}.` : "Nothing here has all of these words.";
  mark(searching ? words : []);
  const address = new URL(location.href);
  if (searching) address.searchParams.set("find", box.value);
  else address.searchParams.delete("find");
  if (address.href !== location.href) history.replaceState(null, "", address);
}

// Shows where the words are, without touching the text, in browsers that can.
function mark(words) {
  if (!window.Highlight) return;
  const ranges = [];
  for (const { element } of words.length ? entries : []) {
    if (element.hidden) continue;
    const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    for (let node = texts.nextNode(); node; node = texts.nextNode()) {
      const text = node.data.toLowerCase();
      if (text.length !== node.data.length) continue; // a letter that is longer when it is small
      for (const word of words) {
        for (let from = text.indexOf(word); from >= 0; from = text.indexOf(word, from + word.length)) {
          const range = new Range();
          range.setStart(node, from);
          range.setEnd(node, from + word.length);
          ranges.push(range);
        }
      }
    }
  }
  CSS.highlights.set("found", new Highlight(...ranges));
}

// Opens what is folded around the part of the page that the address leads to.
function reveal() {
  const part = document.getElementById(location.hash.slice(1));
  if (!part) return;
  if (part.closest("[hidden]")) {
    box.value = "";
    search();
  }
  for (let fold = part.closest("details"); fold; fold = fold.parentElement?.closest("details")) fold.open = true;
  part.scrollIntoView();
}

function unfolded() {
  const open = folds.some((one) => !one.hidden && !one.open);
  for (const fold of folds) fold.open = open;
}

const say = () => (unfold.textContent = folds.some((one) => !one.hidden && !one.open) ? "Unfold all" : "Fold all");

let settling = 0;
box.addEventListener("input", () => {
  clearTimeout(settling);
  settling = setTimeout(search, SETTLED_MS);
});
unfold.addEventListener("click", unfolded);
for (const fold of folds) fold.addEventListener("toggle", say);
addEventListener("hashchange", reveal);
// A link to where the page is already raises no event.
main.addEventListener("click", (event) => {
  if (event.target.closest?.("a")?.hash === location.hash) reveal();
});
addEventListener("beforeprint", () => folds.forEach((one) => (one.open = true)));

document.getElementById("searching").hidden = false;
box.value = new URLSearchParams(location.search).get("find") ?? "";
if (box.value) search();
reveal();
