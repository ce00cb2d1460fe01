// Sends one event of each kind with RudderStack's client: rudder.js URL KEY
import RudderAnalytics from "@rudderstack/rudder-sdk-node";

const [dataPlaneUrl, key] = process.argv.slice(2);
const analytics = new RudderAnalytics(key, { dataPlaneUrl, gzip: true });
const userId = "u-1";
const context = { app: { version: "1.2.3" } };
const originalTimestamp = new Date(1748779200123);
analytics.identify({ userId, traits: { email: "ann@example.com" }, context, originalTimestamp });
analytics.track({ userId, event: "Order Paid", properties: { amount: 12 }, context, originalTimestamp });
analytics.page({ userId, name: "Checkout", properties: { path: "/checkout" } });
analytics.group({ userId, groupId: "g-1", traits: { name: "Example Ltd" } });
analytics.alias({ userId, previousId: "a-1" });
analytics.flush((err) => {
  if (err) {
    console.error("refused:", err);
    process.exit(1);
  }
});
