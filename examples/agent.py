"""An agent in Python's standard library. It holds no token: `taskmint session` puts one into each call on its way.

taskmint session --type triage-ticket --agent triage-bot/pod-7f3c --input ticket=SUP-1042 \
  --purpose "Triage SUP-1042" -- python3 agent.py SUP-1042
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request

TICKETS = os.environ["TASKMINT_API_TICKETS"]  # stands for the API of that name in the policy


def call(method, path):
    """One call; a refusal says in `next` what to do about it."""
    request = urllib.request.Request(TICKETS + path, method=method)
    for attempt in range(5):
        try:
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            problem = json.load(refused)
            if problem.get("next") != "wait":
                sys.exit(f"{method} {path}: {problem['code']}, {problem['next']}")
            time.sleep(int(refused.headers.get("Retry-After", 1)))
    sys.exit(f"{method} {path}: not to be had now")


print(json.dumps(call("GET", f"/tickets/{sys.argv[1]}")))
