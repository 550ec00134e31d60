"""What the hub refuses, as sentences; and what passes, with how long to wait."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from vlmd.core.errors import VlmdError

_RESET = re.compile(r";\s*t=(\d+)")
"""Of the header RateLimit: seconds until requests are allowed again."""
_LONGEST_WAIT = 3600.0


class HubError(VlmdError):
    """A checkpoint cannot be fetched: what, which, what now."""


class Passing(Exception):
    """What may be otherwise at the next try: the reason, and the wait that the hub asks for, if it does."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


def raise_for(response: httpx.Response, name: str, what: str, endpoint: str, with_token: bool) -> None:
    """Nothing where all is well. Raises `Passing`, or `HubError` for what will not be otherwise the next time."""
    if response.is_success:
        return
    status = response.status_code
    if status == 429:
        raise Passing("the hub has had too many requests (429)", _asked_wait(response))
    if status >= 500 or status == 408:
        raise Passing(f"the hub answers {status}", _asked_wait(response))
    raise HubError(_refusal(response, name, what, endpoint, with_token))


def _refusal(response: httpx.Response, name: str, what: str, endpoint: str, with_token: bool) -> str:
    status, code = response.status_code, response.headers.get("x-error-code", "")
    if code == "GatedRepo":
        page = f"{endpoint}/{name}"
        if with_token:
            return (
                f"{name} is gated, and this HF_TOKEN may not read it yet; accept its licence on {page}, then try again"
            )
        return f"{name} is gated; accept its licence on {page} and set HF_TOKEN to a token of that account"
    if code == "RevisionNotFound":
        return f"{name} has no {what}; see its branches, tags and commits on {endpoint}/{name}/commits/main"
    if code == "EntryNotFound":
        return f"{name} has no {what}; take another revision"
    if "invalid" in response.headers.get("x-error-message", "").lower() and status in (400, 401) and with_token:
        return f"the hub does not know this HF_TOKEN; make another one on {endpoint}/settings/tokens"
    if status in (401, 404) or code == "RepoNotFound":
        token = "this HF_TOKEN may not read it" if with_token else "it is private, which takes HF_TOKEN"
        return f"the hub has no {name}, or {token}; see whether {endpoint}/{name} opens in a browser"
    if status == 403:
        return f"the hub refuses {name} ({_said(response)}); see {endpoint}/{name}"
    return f"the hub answers {status} for {what} of {name} ({_said(response)}); see {endpoint}/{name}"


def _said(response: httpx.Response) -> str:
    text = response.headers.get("x-error-message") or response.reason_phrase
    return text[:200]


def _asked_wait(response: httpx.Response) -> float | None:
    """Seconds, by Retry-After or the hub's RateLimit."""
    if after := response.headers.get("retry-after"):
        return _seconds(after)
    reset = _RESET.search(response.headers.get("ratelimit", ""))
    return min(float(reset[1]), _LONGEST_WAIT) if reset else None


def _seconds(after: str) -> float | None:
    if after.strip().isdecimal():
        return min(float(after), _LONGEST_WAIT)
    try:
        wait = (parsedate_to_datetime(after) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(wait, 0.0), _LONGEST_WAIT)
