"""Sends errors, a message, a log line, a transaction and an attachment with sentry-sdk: send_sentry.py URL KEY"""

import sys

import sentry_sdk

url, key = sys.argv[1:]
scheme, host = url.split("://")
sentry_sdk.init(
    dsn=f"{scheme}://{key}@{host}/42",
    release="shop@1.2.3",
    environment="staging",
    server_name="host-1",
    traces_sample_rate=1.0,
    enable_logs=True,
)
sentry_sdk.set_user({"id": "u-1", "email": "ann@example.com"})
sentry_sdk.set_tag("region", "eu")


def pay(cart):
    if not cart:
        raise ValueError("cart 1 is empty")


try:
    try:
        pay([])
    except ValueError as err:
        raise RuntimeError("payment failed") from err
except RuntimeError as err:
    sentry_sdk.capture_exception(err)

sentry_sdk.capture_message("stock is low", level="warning")

with sentry_sdk.new_scope() as scope:
    scope.add_attachment(bytes=b"\x00\x01receipt", filename="receipt.bin")
    scope.fingerprint = ["{{ default }}", "receipts"]
    scope.set_tag("attempt", 3)
    sentry_sdk.capture_message("with a receipt", level="fatal")

with sentry_sdk.start_transaction(op="task", name="checkout"):
    with sentry_sdk.start_span(op="db", name="select cart"):
        pass

sentry_sdk.logger.warning("order {order} is late", order="o-1")
sentry_sdk.flush(timeout=20)
