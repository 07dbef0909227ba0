// What several pages share: charts are drawn, code is copied, a run is followed to its outcome.

import { draw } from "./drawing.js";

enliven(document);

/** Bring server-rendered parts below `root` to life: charts and copy buttons. */
function enliven(root) {
  for (const figure of root.querySelectorAll("[data-chart]")) draw(figure);
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
  bar.addEventListener("operation-content", () => (text.textContent = bar.state.content));
  for (const name of ["operation-done", "operation-error"]) bar.addEventListener(name, ({ detail }) => settle(root, bar, detail));
  bar.addEventListener("operation-retry", ({ detail }) => location.assign(`/?run=${detail.id}`));
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
  const response = await fetch(`/runs/${run}/outcome/`, { headers: { Accept: "text/html" } });
  const html = await response.text();
  if (!response.ok || !bar.isConnected) return; // another question was asked meanwhile
  outcome.dataset.shown = run;
  outcome.innerHTML = html; // escaped by the server's templates
  enliven(outcome);
}
