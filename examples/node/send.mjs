// Sends a bulk of events from Node, without packages, and sends again what the gateway could not take yet.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";

const url = process.env.SLUICE_URL ?? "http://127.0.0.1:8080";
const key = process.env.SLUICE_KEY ?? "dev-key";
const attempts = 6;

// send sends events and returns how many were accepted. An event that is sent again is stored once: its id stays the same.
async function send(events) {
  events = events.map((event) => ({ event_id: randomUUID(), ...event }));
  let accepted = 0;
  for (let attempt = 0; attempt < attempts; attempt++) {
    let wait = Math.min(30, 2 ** attempt);
    const response = await post(events).catch((error) => console.log(`not sent (${error})`));
    if (response) {
      const answer = await response.json();
      if (![202, 429, 503].includes(response.status)) throw new Error(`${response.status}: ${JSON.stringify(answer)}`);
      accepted += answer.accepted ?? 0;
      for (const item of answer.errors ?? []) {
        if (!item.retryable) console.log("refused:", events[item.index].event_id, item.error);
      }
      if (response.status === 202 && !answer.retry) return accepted;
      if (answer.retry) events = answer.retry.flatMap(([first, last]) => events.slice(first, last + 1));
      wait = Number(response.headers.get("Retry-After") ?? wait);
    }
    console.log(`${events.length} events again in ${wait} s`);
    await sleep(wait * 1000);
  }
  throw new Error(`${events.length} events were not sent in ${attempts} attempts`);
}

function post(events) {
  return fetch(`${url}/api/v1/events/bulk`, {
    method: "POST",
    body: gzipSync(JSON.stringify(events)),
    headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json", "Content-Encoding": "gzip" },
  });
}

const accepted = await send([
  { message: "first event from Node", level: "info", release: "shop@1.4.2" },
  { message: "second event from Node", user: { id: 81 }, tags: { region: "eu" } },
]);
console.log("accepted:", accepted);
