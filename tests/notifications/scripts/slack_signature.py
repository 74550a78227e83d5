"""Whether a pressed button is signed as Slack's own verifier wants it: secret, time, signature; body by stdin."""

import sys

from slack_sdk.signature import Clock, SignatureVerifier

SECRET, TIME, SIGNATURE = sys.argv[1:]


class Then(Clock):
    def now(self):
        return float(TIME)


body = sys.stdin.read()
verifier = SignatureVerifier(SECRET, Then())
assert verifier.is_valid(body=body, timestamp=TIME, signature=SIGNATURE)
assert not verifier.is_valid(body=body + "x", timestamp=TIME, signature=SIGNATURE)
print("signed as Slack signs")
