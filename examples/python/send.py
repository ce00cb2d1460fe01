"""Sends a bulk of events with Python's standard library, and sends again what the gateway could not take yet."""

import gzip
import json
import os
import time
import urllib.error
import urllib.request
import uuid

URL = os.environ.get("SLUICE_URL", "http://127.0.0.1:8080")
KEY = os.environ.get("SLUICE_KEY", "dev-key")
ATTEMPTS = 6


def send(events):
    """Sends events and returns how many were accepted. An event that is sent again is stored once: its id stays the same."""
    for event in events:
        event.setdefault("event_id", str(uuid.uuid4()))
    accepted = 0
    for attempt in range(ATTEMPTS):
        wait = min(30, 2**attempt)
        try:
            status, headers, answer = post(events)
        except OSError as error:
            print(f"not sent ({error})")
        else:
            if status not in (202, 429, 503):
                raise RuntimeError(f"{status}: {answer}")
            accepted += answer.get("accepted", 0)
            for item in answer.get("errors", []):
                if not item["retryable"]:
                    print("refused:", events[item["index"]]["event_id"], item["error"])
            if status == 202 and "retry" not in answer:
                return accepted
            if "retry" in answer:
                events = [e for first, last in answer["retry"] for e in events[first : last + 1]]
            wait = int(headers.get("Retry-After", wait))
        print(f"{len(events)} events again in {wait} s")
        time.sleep(wait)
    raise RuntimeError(f"{len(events)} events were not sent in {ATTEMPTS} attempts")


def post(events):
    """Sends one bulk and returns the status, the headers and the body of the answer."""
    request = urllib.request.Request(
        URL + "/api/v1/events/bulk",
        data=gzip.compress(json.dumps(events).encode()),
        headers={
            "Authorization": "Bearer " + KEY,
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.headers, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.load(error)


if __name__ == "__main__":
    print(
        "accepted:",
        send(
            [
                {"message": "first event from Python", "level": "info", "release": "shop@1.4.2"},
                {"message": "second event from Python", "user": {"id": 81}, "tags": {"region": "eu"}},
            ]
        ),
    )
