"""PagerDuty's events against what its documentation says beside the types: developer.pagerduty.com, "Send an
alert event" and "Send a change event"."""

import json
import sys

import golden

SEVERITIES = {"critical", "error", "warning", "info"}
MEMBERS = {"routing_key", "event_action", "dedup_key", "payload", "links", "images", "client", "client_url"}
OF_PAYLOAD = {"summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"}


def check(body, request):
    problems = []
    payload = body.get("payload") or {}
    action = body.get("event_action")
    path = "/v2/enqueue" if action else "/v2/change/enqueue"
    if request not in ("", f"POST {path}"):
        problems.append(f"sent to {request}")
    if len(json.dumps(body).encode()) > 512 * 1024:
        problems.append("over 512 KB")
    if len(body.get("routing_key", "")) != 32:
        problems.append("the routing key has not 32 characters")
    if len(body.get("dedup_key") or "") > 255:
        problems.append("the dedup key is over 255 characters")
    if action in ("acknowledge", "resolve") and not body.get("dedup_key"):
        problems.append("no dedup key")
    if action in ("trigger", None) and not payload.get("summary"):
        problems.append("no summary")
    if len(payload.get("summary", "")) > 1024:
        problems.append("the summary is over 1024 characters")
    for link in body.get("links", []):
        if not link.get("href", "").startswith(("http://", "https://")):
            problems.append("a link that leads nowhere")
    for image in body.get("images", []):
        if not image.get("src", "").startswith("https://"):
            problems.append("an image that is not served by HTTPS")
    if action == "trigger" and payload.get("severity") not in SEVERITIES:
        problems.append("a severity that is none")
    if action == "trigger" and not payload.get("source"):
        problems.append("no source")
    if not isinstance(payload.get("custom_details", {}), dict):
        problems.append("details that are no object")
    unknown = (set(body) - MEMBERS) | {f"payload.{name}" for name in set(payload) - OF_PAYLOAD}
    problems += [f"unknown: {name}" for name in sorted(unknown)]
    return problems


def event(**parts):
    payload = {"summary": "s", "source": "x", "severity": "info"}
    return {"routing_key": "e" * 32, "event_action": "trigger", "payload": payload, **parts}


def payload(**parts):
    return {"summary": "s", "source": "x", "severity": "info", **parts}


assert not check(event(), ""), check(event(), "")
assert not check({"routing_key": "e" * 32, "payload": {"summary": "s"}}, "")
WRONG = [
    ("a severity that is none", event(payload=payload(severity="page"))),
    ("no source", event(payload={"summary": "s", "severity": "info"})),
    ("no payload", event(payload=None)),
    ("a short key", event(routing_key="e")),
    ("a long summary", event(payload=payload(summary="s" * 1025))),
    ("a long dedup key", event(dedup_key="k" * 256)),
    ("a resolve of nothing", {"routing_key": "e" * 32, "event_action": "resolve"}),
    ("details that are no object", event(payload=payload(custom_details="x"))),
    ("an unknown member", event(colour="red")),
    ("an image by HTTP", event(images=[{"src": "http://x"}])),
    ("too much", event(payload=payload(custom_details={"x": "y" * 600_000}))),
]

golden.run(check, sys.argv[1:], WRONG)
