// A page's script: sends an error, a message, a log line, a span and feedback with @sentry/browser.
import * as Sentry from "@sentry/browser";

const query = new URLSearchParams(location.search);
Sentry.init({
  dsn: query.get("url").replace("://", `://${query.get("key")}@`) + "/42",
  release: "shop@1.2.3",
  environment: "staging",
  tracesSampleRate: 1,
  enableLogs: true,
});
Sentry.setUser({ id: "u-1", email: "ann@example.com" });
Sentry.setTag("region", "eu");

function pay(cart) {
  if (!cart.length) throw new TypeError("cart 1 is empty");
}

async function send() {
  try {
    pay([]);
  } catch (err) {
    Sentry.captureException(err);
  }
  Sentry.captureMessage("stock is low", "warning");
  Sentry.startSpan({ name: "checkout", op: "task" }, () => {});
  Sentry.captureFeedback({ name: "Ann", email: "ann@example.com", message: "The button does nothing" });
  Sentry.logger.warn("order o-1 is late", { order: "o-1" });
  return Sentry.flush(20_000);
}
window.sent = send();
