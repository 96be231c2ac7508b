// Draws every chart from its packed spec, and lets a legend button bring one method to the front in all of them.
const unpack = ({ columns, levels, rows }) =>
  rows.map((row) =>
    Object.fromEntries(columns.map((name, i) => [name, levels[name] ? levels[name][row[i]] : row[i]])));

const specs = JSON.parse(document.getElementById("specs").textContent);
const options = { renderer: "svg", ast: true, actions: { export: true, source: false, compiled: false, editor: false } };

const views = await Promise.all(specs.map(async (spec, i) => {
  const datasets = Object.fromEntries(Object.entries(spec.datasets).map(([name, data]) => [name, unpack(data)]));
  const { view } = await window.vegaEmbed(`#chart-${i}`, { ...spec, datasets }, options);
  return view;
}));

let focus = "";
for (const button of document.querySelectorAll(".legend button")) {
  button.addEventListener("click", () => {
    focus = focus === button.dataset.label ? "" : button.dataset.label;
    for (const each of document.querySelectorAll(".legend button")) {
      each.setAttribute("aria-pressed", String(each.dataset.label === focus));
    }
    for (const view of views) view.signal("focus", focus).run();
  });
}
document.documentElement.dataset.drawn = String(views.length);
