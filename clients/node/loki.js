// Sends log lines with pino and pino-loki: loki.js URL KEY
import { once } from "node:events";
import { pino } from "pino";
import { pinoLoki } from "pino-loki";

const [host, password] = process.argv.slice(2);
const stream = pinoLoki({
  host,
  basicAuth: { username: "sluice", password },
  labels: { app: "shop", environment: "staging" },
  batching: { interval: 1 },
  silenceErrors: false,
});
const log = pino({ base: { hostname: "host-1" } }, stream);
log.info("order paid");
log.error(new TypeError("cart 1 is empty"), "payment failed");
log.warn({ order: "o-1", userId: "u-1" }, "order o-1 is late");
stream.end();
await once(stream, "close");
