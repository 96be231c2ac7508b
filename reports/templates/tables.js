// Sorts a table by the column whose title is pressed (up, down, as it was), shows the rows that hold what is typed,
// and says where there are more columns than the window has room for.
const UNITS = { h: 3600, min: 60, s: 1 };
const FEW = 8;

const weight = (text) => {
  const times = [...text.matchAll(/([\d.]+) (h|min|s)\b/g)];
  if (times.length) return times.reduce((sum, [, number, unit]) => sum + Number(number) * UNITS[unit], 0);
  const number = Number.parseFloat(text.replace(/,(?=\d{3})/g, "").replace("\u2212", "-"));
  return Number.isNaN(number) ? -Infinity : number;
};
const text = (row, column) => row.cells[column].textContent.trim();
const compare = (one, other, column, isNumber) =>
  isNumber ? weight(text(one, column)) - weight(text(other, column)) : text(one, column).localeCompare(text(other, column));

const sized = new ResizeObserver((entries) => {
  for (const { target } of entries) target.toggleAttribute("data-wide", target.scrollWidth > target.clientWidth + 1);
});

for (const table of document.querySelectorAll(".scroll table")) {
  sized.observe(table.parentElement);
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const titles = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  titles.forEach((title, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...title.childNodes);
    title.append(button);
    button.addEventListener("click", () => {
      const next = { ascending: "descending", descending: "none" }[title.getAttribute("aria-sort")] ?? "ascending";
      for (const each of titles) each.removeAttribute("aria-sort");
      if (next !== "none") title.setAttribute("aria-sort", next);
      const sign = { ascending: 1, descending: -1, none: 0 }[next];
      const isNumber = title.classList.contains("number");
      body.append(...(sign ? rows.toSorted((one, other) => sign * compare(one, other, column, isNumber)) : rows));
    });
  });
  if (rows.length < FEW) continue;
  const filter = document.createElement("input");
  filter.type = "search";
  filter.className = "filter";
  filter.placeholder = "show rows with \u2026";
  filter.setAttribute("aria-label", "show the rows of the next table that hold this text");
  filter.addEventListener("input", () => {
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(filter.value.toLowerCase());
  });
  table.parentElement.before(filter);
}
