"""Teams' messages against Microsoft's types of cards for Teams: writes a program for `tsc` to check."""

import json
import sys

import golden

HEAD = """import type { IAdaptiveCard } from "@microsoft/teams.cards";

// learn.microsoft.com, "Create incoming webhooks with Workflows": what a workflow takes.
interface Message {
  type: "message";
  summary?: string;
  attachments: {
    contentType: "application/vnd.microsoft.card.adaptive";
    contentUrl?: null;
    content: IAdaptiveCard & { $schema?: string };
  }[];
}
"""


# Cards compare these without regard to case (adaptivecards.io, schema explorer); the types have one spelling.
CAPITALS = ("color", "size", "weight", "spacing", "horizontalAlignment")


def spelled(part):
    if isinstance(part, list):
        return [spelled(item) for item in part]
    if not isinstance(part, dict):
        return part
    again = {name: value.capitalize() if name in CAPITALS and isinstance(value, str) else spelled(value)
             for name, value in part.items()}
    width = again.get("msteams", {}).get("width")
    return {**again, "msteams": {**again["msteams"], "width": width.lower()}} if width else again


def message(card):
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def card(**parts):
    return {"type": "AdaptiveCard", "version": "1.5", "body": [], **parts}


WRONG = {
    "a card of the old kind": {"@type": "MessageCard", "text": "x"},
    "an unknown element": message(card(body=[{"type": "TextBlok", "text": "x"}])),
    "an unknown member": message(card(body=[{"type": "TextBlock", "text": "x", "colour": "Good"}])),
    "a weight that is none": message(card(body=[{"type": "TextBlock", "text": "x", "weight": "Fat"}])),
    "a link without an address": message(card(actions=[{"type": "Action.OpenUrl", "url": 7}])),
}

out = [HEAD]
found = [message for folder in sys.argv[1:] for message in golden.messages(folder)]
if not found:
    sys.exit(f"no messages in {sys.argv[1:]}")
for index, (name, _, body) in enumerate(found):
    out.append(f"// {name}\nexport const m{index}: Message = {json.dumps(spelled(body))};\n")
for index, (name, body) in enumerate(WRONG.items()):
    out.append(f"// @ts-expect-error: {name}\nexport const w{index}: Message = {json.dumps(body)};\n")
print("\n".join(out))
