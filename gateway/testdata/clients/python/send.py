"""Sends events with the client that openapi-python-client makes of openapi.json, and prints what it got."""

import sys

from sluice_gateway_client import AuthenticatedClient
from sluice_gateway_client.api.events import send_event, send_events
from sluice_gateway_client.models import BulkAccepted, Event, EventTagsType0, Exception_, Error

url, key = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=key)

event = Event(message="one from python", level="warn", exception=Exception_(type_="Error"), timestamp=1795435200123.0)
event.tags = EventTagsType0.from_dict({"region": "eu"})
event.fingerprint = ["a", "b"]
event["anything"] = "else"
one = send_event.sync(client=client, body=event)
many = send_events.sync(
    client=client, body=[Event(message="two from python"), Event(message=" "), Event(message="three from python")]
)
assert isinstance(many, BulkAccepted), many
bad = send_event.sync(client=client, body=Event(message="x", level="loud"))
assert isinstance(bad, Error), bad
print(one.status, one.event_id, many.accepted, many.rejected, many.errors[0].code, bad.code, bad.field)
