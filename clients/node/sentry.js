// Sends errors, messages, a log line, spans and an attachment with @sentry/node: sentry.js URL KEY
import * as Sentry from "@sentry/node";

const [url, key] = process.argv.slice(2);
Sentry.init({
  dsn: url.replace("://", `://${key}@`) + "/42",
  release: "shop@1.2.3",
  environment: "staging",
  serverName: "host-1",
  tracesSampleRate: 1,
  enableLogs: true,
});
Sentry.setUser({ id: "u-1", email: "ann@example.com" });
Sentry.setTag("region", "eu");

function pay(cart) {
  if (!cart.length) throw new TypeError("cart 1 is empty");
}
try {
  pay([]);
} catch (err) {
  Sentry.captureException(new Error("payment failed", { cause: err }));
}
Sentry.captureMessage("stock is low", "warning");
Sentry.withScope((scope) => {
  scope.setTag("attempt", 3);
  scope.setLevel("fatal");
  scope.setFingerprint(["{{ default }}", "receipts"]);
  scope.addAttachment({ filename: "receipt.bin", data: new Uint8Array([0, 1, 10, 255]) });
  Sentry.captureMessage("with a receipt");
});
Sentry.startSpan({ name: "checkout", op: "task" }, () => {
  Sentry.startSpan({ name: "select cart", op: "db" }, () => {});
});
Sentry.captureFeedback({ name: "Ann", email: "ann@example.com", message: "The button does nothing" });
Sentry.logger.warn("order o-1 is late", { order: "o-1" });
if (!(await Sentry.close(20_000))) {
  console.error("not everything was sent in 20 s");
  process.exit(1);
}
