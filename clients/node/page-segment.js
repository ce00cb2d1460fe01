// A page's script: sends one event of each kind with @segment/analytics-next.
import { AnalyticsBrowser } from "@segment/analytics-next";

const query = new URLSearchParams(location.search);
const writeKey = query.get("key");
const integration = { apiKey: writeKey, apiHost: query.get("url").split("://")[1] + "/v1", protocol: "http" };

async function send() {
  const analytics = AnalyticsBrowser.load(
    // The settings stand here, so that the page asks no server for them.
    { writeKey, cdnSettings: { integrations: { "Segment.io": integration } } },
    { integrations: { "Segment.io": integration } },
  );
  await analytics.identify("u-1", { email: "ann@example.com", plan: "pro" });
  await analytics.track("Order Paid", { amount: 12 });
  await analytics.page("Shop", "Checkout");
  await analytics.group("g-1", { name: "Example Ltd" });
  await analytics.alias("u-2");
  return true;
}
window.sent = send();
