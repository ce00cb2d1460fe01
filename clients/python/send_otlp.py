"""Sends log records with OpenTelemetry's exporter over HTTP and protobuf: send_otlp.py URL KEY"""

import logging
import sys

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

url, key = sys.argv[1:]
logging.basicConfig()
provider = LoggerProvider(
    Resource.create(
        {
            "service.name": "shop",
            "service.version": "1.2.3",
            "deployment.environment.name": "staging",
            "host.name": "host-1",
        }
    )
)
exporter = OTLPLogExporter(
    endpoint=url + "/v1/logs",
    headers={"Authorization": "Bearer " + key},
    compression=Compression.Gzip,
)
provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
log = provider.get_logger("shop.pay", "0.1.0")

log.emit(
    LogRecord(
        timestamp=1748779200123456789,
        severity_number=SeverityNumber.INFO,
        severity_text="INFO",
        body="order paid",
        attributes={"user.id": "u-1", "user.email": "ann@example.com", "amount": 12, "ratio": 1.5, "ok": True},
    )
)
try:
    raise ValueError("refused")
except ValueError as err:
    log.emit(
        LogRecord(
            timestamp=1748779200223456789,
            severity_number=SeverityNumber.ERROR,
            body="payment failed",
            exception=err,
        )
    )
log.emit(
    LogRecord(
        timestamp=1748779200323456789,
        severity_number=SeverityNumber.FATAL2,
        body={"structured": "body", "n": 1},
        event_name="order.lost",
    )
)
provider.shutdown()
