// The page of one run: its events are added to the table as they happen.

import "../progress/operation-progress.js";
import { make } from "../progress/run-view.js";
import { follow } from "./page.js";

const timeline = document.getElementById("timeline");
const bar = document.querySelector("operation-progress");
let last = Number(timeline.lastElementChild?.dataset.seq ?? 0);

for (const type of ["progress", "content", "done", "error"]) bar.addEventListener(`operation-${type}`, ({ detail }) => add(detail));
follow(document.querySelector("main"));

function add({ seq, type, data }) {
  if (seq <= last) return;
  last = seq;
  const elapsed = data.metadata?.elapsedMs;
  const row = make("tr", "", { "data-seq": seq });
  row.append(
    make("td", "number", {}, String(seq)),
    make("td", "number", {}, elapsed == null ? "" : `${(elapsed / 1000).toFixed(2)} s`),
    make("td", "", {}, data.operation),
    make("td", "", {}, data.currentState ?? type),
    make("td", "", {}, data.message ?? data.content),
    make("td", "number", {}, data.percentage == null ? "" : String(Math.floor(data.percentage))),
  );
  timeline.append(row);
}
