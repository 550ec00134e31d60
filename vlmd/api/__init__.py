"""vlmd from Python: run a pipeline on a video, read results, talk to a running daemon.

import vlmd

result = vlmd.run("match.mkv", "soccer")
for event in result.events:
    print(event.start_s, event.label, event.team, event.confidence)

vlmd.read("results/soccer/match.mkv.json").doubts
vlmd.connect().status()["jobs"]
"""

from vlmd.api.connection import Connection, connect
from vlmd.api.result import Caption, Choice, Event, Feedback, Result, read
from vlmd.api.running import run

__all__ = ["Caption", "Choice", "Connection", "Event", "Feedback", "Result", "connect", "read", "run"]
