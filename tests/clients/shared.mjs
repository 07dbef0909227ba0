// What both clients' scripts need. SITE and TOKEN name the running site and a token for it, FOLDER where gates are put.

import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

export const { SITE, TOKEN, FOLDER } = process.env;
export const headers = { Authorization: `Bearer ${TOKEN}` };

// A client that has something to complain of does it here.
export const complaints = [];
for (const name of ["warn", "error"]) {
  console[name] = (...said) => complaints.push(said.map((each) => each?.stack ?? String(each)).join(" "));
}

export const api = async (path, body) => {
  const init = body && { method: "POST", body: JSON.stringify(body) };
  const response = await fetch(SITE + path, { ...init, headers: { ...headers, "Content-Type": "application/json", Accept: "application/json" } });
  return response.json();
};

export const cancel = (run) => api(`/api/runs/${run}/cancel`, {});

// The run, once it has ended.
export const ended = async (run) => {
  for (;;) {
    const found = await api(`/api/runs/${run}`);
    if (!["queued", "running"].includes(found.status)) return found;
    await sleep(50);
  }
};

// What the run's own operation has written, by its stored events.
export const written = async (run) => {
  if (!run) return "";
  const { items } = await api(`/api/runs/${run}/events`);
  const own = items[0]?.data.operation;
  return items.map(({ type, data }) => (type === "content" && data.operation === own ? data.content : "")).join("");
};

// A file that a gated operation waits for.
export const gate = (name) => {
  const path = `${FOLDER}/${name}`;
  return { path, open: () => writeFileSync(path, "") };
};

export const until = async (holds) => {
  for (let tries = 0; tries < 1500; tries++) {
    const found = holds();
    if (found) return found;
    await sleep(20);
  }
  throw new Error(`this did not happen: ${holds}`);
};

// Run scenarios side by side and print what came of them, with all that the client complained of.
export const play = async (scenarios) => {
  const entries = await Promise.all(
    Object.entries(scenarios).map(async ([name, scenario]) => [name, await scenario()]),
  );
  const found = JSON.stringify({ ...Object.fromEntries(entries), complaints });
  process.stdout.write(`${found}\n`, () => process.exit(0)); // sockets may be open still
};
