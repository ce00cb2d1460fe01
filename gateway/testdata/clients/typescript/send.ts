// Sends events with openapi-fetch and the types that openapi-typescript makes of openapi.json, and prints what it got.

import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

declare const process: { argv: string[] };

const [url, key] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${key}` } });

const one = await client.POST("/api/v1/events", {
  body: {
    message: "one from typescript", level: "warn", exception: { type: "Error" }, timestamp: 1795435200123,
    tags: { region: "eu" }, fingerprint: ["a", "b"], anything: "else",
  },
});
if (!one.data) throw new Error(one.error.error);
const many = await client.POST("/api/v1/events/bulk", {
  body: [{ message: "two from typescript" }, { message: " " }, { message: "three from typescript" }],
});
if (!many.data) throw new Error("the bulk was refused");
const bad = await client.POST("/api/v1/events", { body: { message: "x", level: "loud" } });
if (!bad.error) throw new Error("a bad event was accepted");
console.log(one.data.status, one.data.event_id, many.data.accepted, many.data.rejected, many.data.errors?.[0].code, bad.error.code, bad.error.field);
