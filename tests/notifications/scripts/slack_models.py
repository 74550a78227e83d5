"""Slack's messages against the models of Slack's own client for Python, and the limits that they lack."""

import copy
import json
import re
import sys

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block

import golden

# docs.slack.dev, "Formatting message text": what pings everybody.
PINGS = re.compile(r"<!(channel|here|everyone)\b")
# Of all blocks together, slackapi/bolt-js issue 2509; Backstop's own budget is below.
MAX_CHARS = 13_000


def texts(part):
    if isinstance(part, dict):
        if isinstance(part.get("text"), str):
            yield part
        for value in part.values():
            yield from texts(value)
    elif isinstance(part, list):
        for value in part:
            yield from texts(value)


def check(body, _request):
    problems = []
    blocks = body.get("blocks", [])
    if not body.get("text", "").strip():
        problems.append("no text for lock screens")
    if len(body.get("text", "")) > 4_000:
        problems.append("the text is longer than Slack advises")
    if len(blocks) > 50:
        problems.append("more than 50 blocks")
    for name in ("block_id", "action_id"):
        elements = blocks if name == "block_id" else [e for b in blocks for e in b.get("elements", [])]
        ids = [element[name] for element in elements if name in element]
        if len(ids) != len(set(ids)):
            problems.append(f"a {name} is used twice")
    for index, block in enumerate(blocks):
        problems += [f"block {index}: {problem}" for problem in of_block(block)]
    if sum(len(part["text"]) for part in texts(blocks)) > MAX_CHARS:
        problems.append("msg_blocks_too_long")
    for part in texts(body):
        if PINGS.search(part["text"]):
            problems.append(f"pings everybody: {part['text']!r}")
    for pointer, value in metadata(body):
        if not isinstance(value, (str, int, bool)):
            problems.append(f"metadata {pointer} is no plain value")
    return problems


def of_block(block):
    try:
        parsed = Block.parse(copy.deepcopy(block))
        if parsed is None:
            return ["unknown type"]
        # `to_dict` runs the validators, and drops what the model doesn't know.
        again = parsed.to_dict()
    except SlackObjectFormationError as error:
        return [str(error)]
    problems = []
    if again != block:
        problems.append(f"is not what the model makes of it: {json.dumps(again)}")
    if block["type"] == "header" and block["text"]["type"] != "plain_text":
        problems.append("a header must be plain text")
    for field in block.get("fields", []):
        if len(field["text"]) > 2_000:
            problems.append("a field is over 2000 characters")
    for part in texts(block):
        if not part["text"]:
            problems.append("an empty text")
    return problems


def metadata(body):
    found = body.get("metadata")
    if found is None:
        return []
    if not found.get("event_type") or not isinstance(found.get("event_payload"), dict):
        return [("", None)]
    return list(found["event_payload"].items())


def with_block(block):
    return {"channel": "C0", "text": "x", "blocks": [block]}


def plain(text):
    return {"type": "plain_text", "text": text}


def mrkdwn(text):
    return {"type": "mrkdwn", "text": text}


def actions(**button):
    return {"type": "actions", "elements": [{"type": "button", "action_id": "a", "text": plain("y"), **button}]}


WRONG = [
    ("no text", {"channel": "C0", "blocks": [{"type": "divider"}]}),
    ("a long header", with_block({"type": "header", "text": plain("x" * 151)})),
    ("a header with marks", with_block({"type": "header", "text": mrkdwn("x")})),
    ("a long section", with_block({"type": "section", "text": mrkdwn("x" * 3_001)})),
    ("a long field", with_block({"type": "section", "fields": [mrkdwn("x" * 2_001)]})),
    ("too many fields", with_block({"type": "section", "fields": [mrkdwn("x")] * 11})),
    ("an empty text", with_block({"type": "section", "text": mrkdwn("")})),
    ("a long button", with_block(actions(text=plain("y" * 76)))),
    ("a style that is none", with_block(actions(style="warning"))),
    ("a long value", with_block(actions(value="v" * 2_001))),
    ("an unknown member", with_block({"type": "header", "text": plain("x"), "colour": "red"})),
    ("an unknown block", with_block({"type": "alarm"})),
    ("a block twice", {"text": "x", "blocks": [{"type": "divider", "block_id": "b"}] * 2}),
    ("too many blocks", {"text": "x", "blocks": [{"type": "divider"}] * 51}),
    ("too much in all", {"text": "x", "blocks": [{"type": "section", "text": mrkdwn("x" * 2_900)}] * 5}),
    ("a ping to all", {"text": "an alert <!channel>"}),
    ("metadata without a type", {"text": "x", "metadata": {"event_payload": {}}}),
]

golden.run(check, sys.argv[1:], WRONG)
