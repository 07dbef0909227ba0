// What several pages share: charts are drawn, code is copied, a run is followed to its outcome.

import { draw } from "./drawing.js";

// Of a long conversation only those charts are drawn that somebody comes near to.
const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    draw(target);
  }
}, { rootMargin: "600px" });

enliven(document);

/** Bring server-rendered parts below `root` to life: charts and copy buttons. */
function enliven(root) {
  for (const figure of root.querySelectorAll("[data-chart]:not([data-drawn])")) near.observe(figure);
  for (const button of root.querySelectorAll("[data-copy]")) button.addEventListener("click", copy);
}

async function copy({ currentTarget: button }) {
  const code = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code); // no clipboard over plain HTTP: leave it selected
    button.textContent = "Selected";
  }
}

/** Show the text and the outcome of the run whose bar is in `root`; dispatches "run-ended" there. */
export function follow(root) {
  const bar = root.querySelector("operation-progress");
  const text = root.querySelector(".streamed");
  text.textContent = "";
  bar.addEventListener("operation-content", () => {
    text.textContent = bar.state.content;
    avoidTwice(root);
  });
  for (const name of ["operation-done", "operation-error"]) bar.addEventListener(name, ({ detail }) => settle(root, bar, detail));
  bar.addEventListener("operation-retry", ({ detail }) => location.assign(`/?run=${detail.id}`));
}

/** Show a chart that a run has made while it goes on. */
export async function showChart(root, chart) {
  const outcome = root.querySelector(".outcome");
  if (!chart || outcome.dataset.shown) return;
  const card = await part(`/charts/${chart}/card/`);
  if (!card || outcome.dataset.shown || document.getElementById(`chart-${chart}`)) return;
  outcome.append(card);
  enliven(outcome);
  avoidTwice(root);
}

// Without a language model the text is what the chart says of itself.
function avoidTwice(root) {
  const text = root.querySelector(".streamed");
  const said = [...root.querySelectorAll(".chart > .answer")].map((answer) => answer.textContent);
  text.hidden = said.some((answer) => answer.startsWith(text.textContent));
}

async function settle(root, bar, { data }) {
  const run = data.metadata.runId;
  const outcome = root.querySelector(".outcome");
  root.dispatchEvent(new CustomEvent("run-ended", { detail: { run, standing: standing(bar.state) } }));
  if (outcome.dataset.shown !== run) await fill(outcome, run, bar);
  if (bar.isConnected && outcome.childElementCount) root.querySelector(".streamed").textContent = ""; // the outcome has it
}

// An error that asks for another question is none of the machine's failures.
function standing({ status, error }) {
  return ["invalid_request", "no_data"].includes(error?.code) ? "asked back" : status;
}

async function fill(outcome, run, bar) {
  const fresh = await part(`/runs/${run}/outcome/`);
  if (!fresh || !bar.isConnected) return; // another question was asked meanwhile
  outcome.dataset.shown = run;
  for (const figure of fresh.querySelectorAll("[data-chart]")) {
    const drawn = outcome.querySelector(`[data-chart="${CSS.escape(figure.dataset.chart)}"]`);
    if (drawn) figure.replaceWith(drawn); // it is not drawn again
  }
  outcome.replaceChildren(fresh);
  enliven(outcome);
}

async function part(address) {
  const response = await fetch(address, { headers: { Accept: "text/html" } });
  if (!response.ok) return null;
  const template = document.createElement("template");
  template.innerHTML = await response.text(); // escaped by the server's templates
  return template.content;
}
