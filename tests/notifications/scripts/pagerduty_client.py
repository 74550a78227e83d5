"""PagerDuty's own client drives the fake."""

import sys

import pagerduty

URL, ROUTING_KEY = sys.argv[1:]
client = pagerduty.EventsApiV2Client(ROUTING_KEY, base_url="https://127.0.0.1")
# It insists on HTTPS at first.
client._url = URL

assert client.trigger("it burns", "spark", dedup_key="k", severity="critical") == "k"
assert client.acknowledge("k") == "k"
assert client.resolve("k") == "k"
assert client.trigger("it burns", "spark"), "a key of its own"
client.submit("25 %", source="spark", timestamp="2026-11-24T14:00:00Z")
for wrong in (
    lambda: client.trigger("it burns", "spark", severity="page"),
    lambda: client.trigger("", "spark"),
    lambda: client.trigger("it burns", "spark", dedup_key="k" * 256),
):
    try:
        wrong()
    except pagerduty.Error as error:
        assert error.response.status_code == 400, error
    else:
        sys.exit("accepted what is wrong")
print("8 answers understood")
