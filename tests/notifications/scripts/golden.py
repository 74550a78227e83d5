"""Golden messages, and how a check of them ends."""

import json
import pathlib
import sys


def messages(folder):
    """Every message of a folder: a name for it, the request's method and path if known, the body.

    A file is one body, or an object with a body for each call that a notice needs, or a list of requests.
    """
    for path in sorted(pathlib.Path(folder).glob("*.json")):
        content = json.loads(path.read_text())
        if isinstance(content, list):
            for number, request in enumerate(content):
                where = request.get("request") or f"POST {request['path']}"
                yield f"{path.name} {number}", where, request["body"]
        elif set(content) <= {"root", "update", "reply", "broadcast", "ephemeral"}:
            for call, body in content.items():
                yield f"{path.name} {call}", "", body
        else:
            yield path.name, "", content


def run(check, folders, wrong):
    """Checks every message, and first that the check notices what is wrong: `wrong` is (why, body).

    A check takes a body, and the request's method and path, which may be unknown; it returns problems.
    """
    failures = [f"not noticed: {why}" for why, body in wrong if not check(body, "")]
    count = 0
    for folder in folders:
        found = list(messages(folder))
        if not found:
            failures.append(f"no messages in {folder}")
        for name, request, body in found:
            count += 1
            failures += [f"{name}: {problem}" for problem in check(body, request)]
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{count} messages, {len(wrong)} that have to be noticed, {len(failures)} problems")
    sys.exit(1 if failures else 0)
