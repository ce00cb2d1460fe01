// Sends documents with Elasticsearch's client and its bulk helper: elastic.js URL KEY
import { Client } from "@elastic/elasticsearch";

const [node, apiKey] = process.argv.slice(2);
const client = new Client({ node, auth: { apiKey }, maxRetries: 1 });
const documents = [
  { "@timestamp": "2025-06-01T12:00:00.123Z", message: "order paid", log: { level: "info" }, service: { name: "shop" } },
  { "@timestamp": "2025-06-01T12:00:00.124Z", message: "payment failed", level: "error", host: { name: "host-1" } },
];
const answer = await client.bulk({
  operations: [
    { create: { _index: "logs" } },
    documents[0],
    { index: { _index: "logs", _id: "order-2" } },
    documents[1],
    { delete: { _index: "logs", _id: "order-0" } },
  ],
});
console.log(JSON.stringify(answer.items.map((item) => Object.entries(item)[0]).map(([action, { status }]) => [action, status])));

const result = await client.helpers.bulk({
  datasource: [{ message: "from the helper", level: "warn" }],
  onDocument: () => ({ create: { _index: "logs" } }),
  onDrop: (dropped) => {
    console.error("refused:", JSON.stringify(dropped));
    process.exitCode = 1;
  },
});
console.log(result.successful, result.failed);
