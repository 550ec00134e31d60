"""Checkpoints from the model hub: the only code of vlmd that fetches anything from a network.

api        requests: the token, redirects, waiting out what passes
refusals   what the hub refuses, as sentences
listing    what a repository holds, and which of its files vlmd loads
download   one file: resumed, verified
fetch      all of it: looked at, planned, loaded, put in place whole
"""

from vlmd.weights.hub.api import Hub
from vlmd.weights.hub.fetch import Plan, Watcher, fetch
from vlmd.weights.hub.refusals import HubError

__all__ = ["Hub", "HubError", "Plan", "Watcher", "fetch"]
