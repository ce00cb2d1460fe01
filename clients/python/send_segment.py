"""Sends one event of each kind with segment-analytics-python: send_segment.py URL KEY"""

import sys

import segment.analytics as analytics

analytics.host, analytics.write_key = sys.argv[1:]
analytics.gzip = True
analytics.on_error = lambda error, _: sys.exit(f"refused: {error}")

context = {"app": {"version": "1.2.3"}}
analytics.identify("u-1", {"email": "ann@example.com", "plan": "pro"}, context=context)
analytics.track("u-1", "Order Paid", {"amount": 12}, context=context)
analytics.track(anonymous_id="a-1", event="Cart Opened")
analytics.page("u-1", "Shop", "Checkout", {"path": "/checkout"})
analytics.screen("u-1", "Shop", "Cart")
analytics.group("u-1", "g-1", {"name": "Example Ltd"})
analytics.alias("a-1", "u-1")
analytics.shutdown()
