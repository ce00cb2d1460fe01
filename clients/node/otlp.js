// Sends log records with OpenTelemetry's exporters over HTTP, JSON or protobuf: otlp.js URL KEY json|proto
import { OTLPLogExporter as JSONExporter } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPLogExporter as ProtoExporter } from "@opentelemetry/exporter-logs-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";

const [url, key, encoding] = process.argv.slice(2);
const Exporter = encoding === "json" ? JSONExporter : ProtoExporter;
const exporter = new Exporter({ url: url + "/v1/logs", headers: { Authorization: "Bearer " + key } });
const provider = new LoggerProvider({
  resource: resourceFromAttributes({
    "service.name": "shop",
    "service.version": "1.2.3",
    "deployment.environment.name": "staging",
    "host.name": "host-1",
  }),
  processors: [new BatchLogRecordProcessor({ exporter })],
});
const log = provider.getLogger("shop.pay", "0.1.0");
const at = 1748779200123;
log.emit({
  timestamp: at,
  severityNumber: 9,
  severityText: "INFO",
  body: "order paid",
  attributes: { "user.id": "u-1", "user.email": "ann@example.com", amount: 12, ratio: 1.5, ok: true, list: ["a", 2] },
});
log.emit({
  timestamp: at + 1,
  severityNumber: 17,
  body: "payment failed",
  attributes: {
    "exception.type": "PayErr",
    "exception.message": "refused",
    "exception.stacktrace": "PayErr: refused\n    at pay (shop.js:10:3)",
  },
});
log.emit({ timestamp: at + 2, severityNumber: 22, body: { structured: "body", n: 1 } });
log.emit({ timestamp: at + 3, eventName: "order.lost", severityText: "warn" });
log.emit({ body: "no severity" });
await provider.shutdown();
