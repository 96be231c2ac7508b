// Shows the image of a point of a map while the pointer is on it.
const shown = document.createElement("div");
shown.className = "hovered";
shown.hidden = true;
document.body.append(shown);
document.addEventListener("pointerover", (event) => {
  const point = event.target.closest?.("[data-image]");
  shown.hidden = !point;
  if (!point) return;
  const sprite = document.getElementById(point.closest("svg").dataset.images);
  const cell = Number(sprite.dataset.cell);
  const gap = 2;
  const scale = 80 / cell;
  const number = Number(point.dataset.image);
  const column = number % Number(sprite.dataset.columns);
  const row = Math.floor(number / Number(sprite.dataset.columns));
  const [left, top] = [column, row].map((place) => gap + place * (cell + gap));
  shown.style.backgroundImage = `url("${sprite.src}")`;
  shown.style.backgroundSize = `${sprite.getAttribute("width") * scale}px ${sprite.getAttribute("height") * scale}px`;
  shown.style.backgroundPosition = `${-left * scale}px ${-top * scale}px`;
  const box = point.getBoundingClientRect();
  shown.style.left = `${Math.max(4, Math.min(box.left - 38, window.innerWidth - 90))}px`;
  shown.style.top = `${box.top > 96 ? box.top - 92 : box.bottom + 8}px`;
});

// Draws every chart from its packed spec, and lets legend buttons bring methods to the front in all of them.
const unpack = ({ columns, levels, rows }) =>
  rows.map((row) =>
    Object.fromEntries(columns.map((name, i) => [name, levels[name] ? levels[name][row[i]] : row[i]])));

const LARGEST = 1.5; // times its own size that a chart grows to, so that its text does not become a heading
const specs = JSON.parse(document.getElementById("specs").textContent);
const options = { renderer: "svg", ast: true, actions: { export: true, source: false, compiled: false, editor: false } };

// Small multiples are made for a phone; a wider window holds more panels beside each other.
const GAP = 24;
const main = getComputedStyle(document.querySelector("main"));
const room = parseFloat(main.width) - parseFloat(main.paddingLeft) - parseFloat(main.paddingRight);
for (const spec of specs) {
  if (spec.facet) spec.columns = Math.max(spec.columns, Math.floor((room - 2 * GAP) / (spec.spec.width + GAP)));
}

const views = await Promise.all(specs.map(async (spec, i) => {
  const datasets = Object.fromEntries(Object.entries(spec.datasets).map(([name, data]) => [name, unpack(data)]));
  const { view } = await window.vegaEmbed(`#chart-${i}`, { ...spec, datasets }, options);
  const svg = document.querySelector(`#chart-${i} svg.marks`);
  svg.style.maxWidth = `${LARGEST * svg.viewBox.baseVal.width}px`;
  return view;
}));

const focus = new Set();
for (const button of document.querySelectorAll(".legend button")) {
  button.addEventListener("click", () => {
    if (!focus.delete(button.dataset.label)) focus.add(button.dataset.label);
    for (const each of document.querySelectorAll(".legend button")) {
      each.setAttribute("aria-pressed", String(focus.has(each.dataset.label)));
    }
    for (const view of views) view.signal("focus", [...focus]).run();
  });
}
document.documentElement.dataset.drawn = String(views.length);
