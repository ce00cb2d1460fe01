"""Sends captures and an exception with posthog's client: send_posthog.py URL KEY"""

import sys

from posthog import Posthog

url, key = sys.argv[1:]
client = Posthog(
    key,
    host=url,
    gzip=True,
    max_retries=1,
    on_error=lambda error, _: print("refused:", error, file=sys.stderr),
)
client.capture("order paid", distinct_id="u-1", properties={"amount": 12, "region": "eu"})
client.set(distinct_id="u-1", properties={"email": "ann@example.com"})
try:
    raise ValueError("cart 1 is empty")
except ValueError as err:
    client.capture_exception(err, distinct_id="u-1")
client.shutdown()
