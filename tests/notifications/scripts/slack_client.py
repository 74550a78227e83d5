"""Slack's own client drives the fake: what it gets back must be what it understands."""

import sys

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

URL, TOKEN = sys.argv[1:]
client = WebClient(token=TOKEN, base_url=f"{URL}/slack/api/")


def refused(call, **arguments):
    try:
        call(**arguments)
    except SlackApiError as error:
        return error.response["error"]
    return None


identity = client.auth_test()
assert identity["user_id"].startswith("U") and "chat:write" in identity.headers["x-oauth-scopes"], identity

blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "*first*"}}]
metadata = {"event_type": "backstop", "event_payload": {"message": "i/1"}}
root = client.chat_postMessage(channel="#spark-incidents", text="first", blocks=blocks, metadata=metadata)
channel, ts = root["channel"], root["ts"]
assert root["message"]["blocks"][0]["text"]["text"] == "*first*", root
reply = client.chat_postMessage(channel=channel, text="reply", thread_ts=ts)
client.chat_postMessage(channel=channel, text="loud", thread_ts=ts, reply_broadcast=True)
assert reply["message"]["thread_ts"] == ts, reply
updated = client.chat_update(channel=channel, ts=ts, text="second")
assert updated["text"] == "second", updated

history = client.conversations_history(channel=channel, include_all_metadata=True)["messages"]
assert [message["text"] for message in history] == ["loud", "second"], history
assert history[1]["metadata"] == metadata and history[1]["reply_count"] == 2, history
replies = client.conversations_replies(channel=channel, ts=ts)["messages"]
assert [message["text"] for message in replies] == ["second", "reply", "loud"], replies
pages = [page["messages"] for page in client.conversations_history(channel=channel, limit=1)]
assert [len(page) for page in pages] == [1, 1], pages

link = client.chat_getPermalink(channel=channel, message_ts=reply["ts"])["permalink"]
assert f"thread_ts={ts}" in link and reply["ts"].replace(".", "") in link, link
assert client.conversations_info(channel=channel)["channel"]["is_member"] is True
assert [one["id"] for one in client.conversations_list()["channels"]] == [channel]
assert client.usergroups_users_list(usergroup="S0ONCALL")["users"] == ["U0ANA", "U0BEN"]
assert client.chat_postEphemeral(channel=channel, user="U0ANA", text="only you")["message_ts"]

assert refused(client.chat_postMessage, channel="#nowhere", text="x") == "channel_not_found"
assert refused(client.chat_update, channel="spark-incidents", ts=ts, text="x") == "channel_not_found"
assert refused(client.chat_update, channel=channel, ts="1790000000.000001", text="x") == "message_not_found"
header = [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]
assert refused(client.chat_postMessage, channel=channel, text="x", blocks=header) == "invalid_blocks"
other = WebClient(token="xoxb-other", base_url=f"{URL}/slack/api/")
assert refused(other.auth_test) == "invalid_auth"
print("21 answers understood")
