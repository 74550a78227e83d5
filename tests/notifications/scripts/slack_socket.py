"""Slack's own Socket Mode client connects to the fake, acknowledges the first interaction, and ends."""

import sys
import threading

from slack_sdk import WebClient
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse

URL, TOKEN = sys.argv[1:]
client = SocketModeClient(app_token=TOKEN, web_client=WebClient(base_url=f"{URL}/slack/api/"))
done = threading.Event()
seen = []


def on_request(client, request):
    if request.type == "interactive":
        client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
        seen.append(request.payload["actions"][0]["action_id"])
        done.set()


client.socket_mode_request_listeners.append(on_request)
client.connect()
arrived = done.wait(60)
client.close()
print(seen)
sys.exit(0 if arrived and seen == ["hold"] else 1)
