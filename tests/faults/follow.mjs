// Follows one run with the project's JavaScript client, as the JSON of its first argument says, and prints an event per line.

import { Client } from "../../progress/static/progress/client.js";

const { base, token, start, follow, after, abortAt, cancelAt, ...options } = JSON.parse(process.argv[2]);
const client = new Client({ base, token, ...options });
const abort = new AbortController();
const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

try {
  const signal = abort.signal;
  const onConnection = (connection) => print({ connection });
  const run = start ? await client.start(start, { signal, onConnection }) : client.follow(follow, { after, signal, onConnection });
  print({ run: run.id });
  let seen = 0;
  for await (const event of run) {
    print({ event });
    seen += 1;
    if (seen === abortAt) abort.abort(new Error("aborted"));
    if (seen === cancelAt) await run.cancel();
  }
  print({ last: run.last, result: await run.result() });
} catch ({ name, message, status, code, retryAfter }) {
  print({ failed: { name, message, status, code, retryAfter } });
}
