// Sends one event of each kind with @segment/analytics-node: segment.js URL KEY
import { Analytics } from "@segment/analytics-node";

const [host, writeKey] = process.argv.slice(2);
const analytics = new Analytics({ host, writeKey });
analytics.on("error", (err) => {
  console.error("refused:", err);
  process.exitCode = 1;
});
const context = { app: { version: "1.2.3" } };
const userId = "u-1";
const timestamp = new Date(1748779200123);
analytics.identify({ userId, traits: { email: "ann@example.com", plan: "pro" }, context, timestamp });
analytics.track({ userId, event: "Order Paid", properties: { amount: 12 }, context, timestamp });
analytics.track({ anonymousId: "a-1", event: "Cart Opened" });
analytics.page({ userId, category: "Shop", name: "Checkout", properties: { path: "/checkout" } });
analytics.screen({ userId, name: "Cart" });
analytics.group({ userId, groupId: "g-1", traits: { name: "Example Ltd" } });
analytics.alias({ userId, previousId: "a-1" });
await analytics.closeAndFlush({ timeout: 20_000 });
