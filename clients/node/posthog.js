// Sends captures and an exception with posthog-node: posthog.js URL KEY
import { PostHog } from "posthog-node";

const [host, key] = process.argv.slice(2);
const client = new PostHog(key, { host, fetchRetryCount: 1 });
client.on("error", (err) => {
  console.error("refused:", err);
  process.exitCode = 1;
});
const distinctId = "u-1";
client.capture({ distinctId, event: "order paid", properties: { amount: 12, region: "eu" } });
client.identify({ distinctId, properties: { email: "ann@example.com" } });
client.captureException(new TypeError("cart 1 is empty"), distinctId);
await client.shutdown(20_000);
