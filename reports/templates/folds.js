// Folds the evidence, which is written open for paper and for who runs no scripts, and opens what a link points into.
const folds = [...document.querySelectorAll("details.evidence")];
const reveal = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let each = target; each; each = each.parentElement) if (each.tagName === "DETAILS") each.open = true;
  if (target.tagName === "SECTION") for (const each of target.querySelectorAll(":scope > details.evidence")) each.open = true;
  target.scrollIntoView();
};

for (const fold of folds) fold.open = false;
reveal();
addEventListener("hashchange", reveal);
document.addEventListener("click", (event) => {
  if (event.target.closest?.('a[href^="#"]')) setTimeout(reveal); // the same address once more is no change of it
});

let shut = [];
addEventListener("beforeprint", () => {
  shut = [...document.querySelectorAll("details:not([open])")];
  for (const each of shut) each.open = true;
});
addEventListener("afterprint", () => {
  for (const each of shut) each.open = false;
});

const heading = document.querySelector("#evidence > .part-name");
if (heading) {
  const all = document.createElement("button");
  all.type = "button";
  all.textContent = "open all";
  all.addEventListener("click", () => {
    const opens = all.textContent === "open all";
    for (const each of folds) each.open = opens;
    all.textContent = opens ? "fold all" : "open all";
  });
  heading.append(all);
}
