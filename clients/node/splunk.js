// Sends events with splunk-logging: splunk.js URL KEY
import splunk from "splunk-logging";

const [url, token] = process.argv.slice(2);
const logger = new splunk.Logger({ url, token, maxBatchCount: 3, batchInterval: 0 });
logger.error = (err) => {
  console.error("refused:", err);
  process.exitCode = 1;
};
const metadata = { host: "host-1", source: "shop", sourcetype: "_json", time: 1748779200.123 };
logger.send({ message: "order paid", severity: "info", metadata });
logger.send({ message: { order: "o-1", late: true }, severity: "warn", metadata });
logger.send({ message: "payment failed", severity: "error", metadata });
