// Looks at the page as a reader would, from inside, and writes what it found below, or tells it to the page around it.
const wait = async (until) => {
  for (let i = 0; i < 300 && !until(); i++) await new Promise((resolve) => setTimeout(resolve, 50));
};
const luminance = (colour) => {
  const [r, g, b] = colour.map((each) => each / 255).map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const parsed = (text) => text.match(/[\d.]+/g).map(Number);
const ground = (element) => {
  for (let each = element; each; each = each.parentElement) {
    const colour = parsed(getComputedStyle(each).backgroundColor);
    if ((colour[3] ?? 1) > 0) return colour.slice(0, 3);
  }
  return [255, 255, 255];
};
const contrast = (element, colour = getComputedStyle(element).color) => {
  const [one, other] = [parsed(colour).slice(0, 3), ground(element)].map(luminance);
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
};
const shown = (element) => element.getClientRects().length > 0;
const say = (element) => `${element.tagName} ${element.className}: ${element.textContent.trim().slice(0, 40)}`;

await wait(() => document.documentElement.dataset.drawn);
const found = { errors: window.errors, drawn: Number(document.documentElement.dataset.drawn) };
const folded = [...document.querySelectorAll("details.evidence")];
found.folded = folded.map((each) => each.open);
document.querySelector('nav a[href="#training"]').click();
await wait(() => document.querySelector("#training > details").open);
found.revealed = folded.filter((each) => each.open).map((each) => each.parentElement.id);
const summary = document.querySelector("#cost summary");
summary.focus();
found.reached = document.activeElement === summary;
window.dispatchEvent(new Event("beforeprint"));
found.printed = [...document.querySelectorAll("details")].every((each) => each.open);
window.dispatchEvent(new Event("afterprint"));
found.after = folded.filter((each) => each.open).map((each) => each.parentElement.id);
document.querySelector("#evidence .part-name button").click();
found.width = [document.documentElement.scrollWidth, document.documentElement.clientWidth];
found.cut = [...document.querySelectorAll(".scroll")].filter((each) => each.scrollWidth > each.clientWidth + 1).map(say);
found.lists = [...document.querySelectorAll("#jobs, #numbers, .paper")].filter(shown).map((each) => each.id || each.className);
found.background = getComputedStyle(document.body).backgroundColor;
const own = [...document.querySelectorAll("main *:not(svg *)")].filter(
  (each) => shown(each) && !each.closest(".chart") && [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
found.texts = own.length;
found.faint = own.filter((each) => contrast(each) < 4.5).map((each) => `${contrast(each).toFixed(2)} ${say(each)}`);
const painted = (element) => {
  const { fill, stroke } = getComputedStyle(element);
  return contrast(element, fill === "none" || parsed(fill)[3] === 0 ? stroke : fill);
};
const inks = [...document.querySelectorAll(
  ".chart svg.marks :is(:is(.mark-symbol, .mark-line, .mark-rule, .mark-text).role-mark > *, .role-axis-label text, .role-axis-title text)")];
found.marks = inks.length;
found.dim = inks.filter((each) => painted(each) < (each.closest(".role-mark") ? 3 : 4.5)).map((each) => each.outerHTML.slice(0, 200));
const swatches = [...document.querySelectorAll(".swatch")];
found.swatches = swatches.length;
found.dim.push(...swatches.filter((each) => contrast(each.parentElement, getComputedStyle(each).backgroundColor) < 3).map(say));
found.nameless = [...document.querySelectorAll("img")].filter((each) => !each.alt).map((each) => each.src.slice(0, 60));
found.svg = [...document.querySelectorAll(".chart svg.marks")].map((each) => each.getBoundingClientRect().width);

const table = [...document.querySelectorAll("table")].find((each) => each.className.startsWith("results"));
const column = [...table.tHead.rows[table.tHead.rows.length - 1].cells].findIndex((each) => each.classList.contains("number"));
const read = () => [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => row.cells[column].textContent.trim());
const button = table.querySelectorAll("th .sort")[column];
button.focus();
found.focused = document.activeElement === button;
found.before = read();
button.click();
found.up = read();
button.click();
found.down = read();
button.click();
found.again = read();
const filter = table.closest("section").querySelector(".filter");
if (filter) {
  filter.value = "MOCO_V2_FT";
  filter.dispatchEvent(new Event("input"));
  found.filtered = [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => row.cells[0].textContent.trim());
}
const [legend] = document.querySelectorAll(".legend button");
legend.focus();
legend.click();
found.pressed = [document.activeElement === legend, legend.getAttribute("aria-pressed")];
const second = document.querySelectorAll(".legend button")[1];
second.click();
const faded = (mark) => Number(getComputedStyle(mark).opacity) < 0.1;
const marks = () => [...legend.closest("section").querySelectorAll(".chart svg.marks .mark-line path")];
await wait(() => marks().some(faded)); // Vega draws when it is idle
found.shown = [marks().filter((each) => !faded(each)).length, marks().filter(faded).length];
found.both = [legend, second].map((each) => each.getAttribute("aria-pressed"));
const number = document.querySelector("a.behind");
number.click();
const behind = document.getElementById(number.hash.slice(1));
await wait(() => behind.open);
found.behind = [behind.open, behind.getClientRects().length > 0, behind.querySelectorAll("li").length];
const hinted = () => [...document.querySelectorAll(".scroll[data-wide]")].map(say);
await wait(() => found.cut.length === 0 || hinted().length);
found.wide = hinted();
found.errors = window.errors;
if (parent === window) {
  const told = document.createElement("pre");
  told.id = "found";
  told.textContent = JSON.stringify(found);
  document.body.append(told);
} else {
  parent.postMessage(JSON.stringify(found), "*");
}
