"""Slack's messages against the types of Slack's own client for TypeScript: writes a program that assigns
each message to its type, for `tsc` to check."""

import json
import sys

import golden

HEAD = """import type { ChatPostEphemeralArguments, ChatPostMessageArguments, ChatUpdateArguments } from "@slack/web-api";
"""

# Each must be an error, or else `tsc` reports that it expected one.
WRONG = {
    "a header with marks": {"blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]},
    "an unknown member": {"blocks": [{"type": "divider", "colour": "red"}]},
    "an unknown argument": {"reply_broadcasts": True},
    "a style that is none": {"blocks": [{"type": "actions", "elements": [
        {"type": "button", "style": "warning", "text": {"type": "plain_text", "text": "x"}}]}]},
}


def kind(body):
    if "ts" in body:
        return "ChatUpdateArguments"
    return "ChatPostEphemeralArguments" if "user" in body else "ChatPostMessageArguments"


out = [HEAD]
found = [message for folder in sys.argv[1:] for message in golden.messages(folder)]
if not found:
    sys.exit(f"no messages in {sys.argv[1:]}")
for index, (name, _, body) in enumerate(found):
    body = {"channel": "C0", **body}
    out.append(f"// {name}\nexport const m{index}: {kind(body)} = {json.dumps(body)};\n")
for index, (name, part) in enumerate(WRONG.items()):
    body = {"channel": "C0", "text": "x", **part}
    out.append(f"// @ts-expect-error: {name}\nexport const w{index}: ChatPostMessageArguments = {json.dumps(body)};\n")
print("\n".join(out))
