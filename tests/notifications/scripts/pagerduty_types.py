"""PagerDuty's events against the types of PagerDuty's own client for JavaScript: writes a program for `tsc`."""

import json
import sys

import golden

HEAD = """import type { ChangePayload, EventPayloadV2 } from "@pagerduty/pdjs/build/src/events";

// What the documentation has and their type lacks; and what a change may leave out by the documentation.
type Client = { client?: string; client_url?: string };
type Trigger = EventPayloadV2 & Client & { event_action: "trigger" };
type Later = Omit<EventPayloadV2, "payload"> & { event_action: "acknowledge" | "resolve"; dedup_key: string };
type Change = Omit<ChangePayload, "links" | "payload"> & Partial<Pick<ChangePayload, "links">> & {
  payload: Pick<ChangePayload["payload"], "summary"> & Partial<ChangePayload["payload"]>;
};
"""


def kind(body):
    action = body.get("event_action")
    return "Change" if action is None else "Trigger" if action == "trigger" else "Later"


def trigger(**parts):
    payload = {"summary": "s", "source": "x", "severity": "info", **parts.pop("payload", {})}
    return {"routing_key": "e" * 32, "event_action": "trigger", "payload": payload, **parts}


WRONG = {
    "a severity that is none": ("Trigger", trigger(payload={"severity": "page"})),
    "a time that is none": ("Trigger", trigger(payload={"timestamp": 7})),
    "an unknown detail": ("Trigger", trigger(payload={"colour": "red"})),
    "an unknown member": ("Trigger", trigger(colour="red")),
    "a link of another shape": ("Trigger", trigger(links=[{"url": "https://x"}])),
    "an action that is none": ("Later", {"routing_key": "e", "event_action": "open", "dedup_key": "k"}),
    "a resolve of nothing": ("Later", {"routing_key": "e", "event_action": "resolve"}),
    "a change without words": ("Change", {"routing_key": "e", "payload": {"source": "x"}}),
}

out = [HEAD]
found = [message for folder in sys.argv[1:] for message in golden.messages(folder)]
if not found:
    sys.exit(f"no messages in {sys.argv[1:]}")
for index, (name, _, body) in enumerate(found):
    out.append(f"// {name}\nexport const m{index}: {kind(body)} = {json.dumps(body)};\n")
for index, (name, (kind_of, body)) in enumerate(WRONG.items()):
    out.append(f"// @ts-expect-error: {name}\nexport const w{index}: {kind_of} = {json.dumps(body)};\n")
print("\n".join(out))
