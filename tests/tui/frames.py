"""The frames of the snapshot tests, by name."""

from __future__ import annotations

from tests.tui.making import GB, answer, device, document, done, failed, frame, idle_cpu, job
from vlmd.tui.frame import Frame

HOSTILE = "match/[bold red]x[bold] \x1b[2J\x1b]0;owned\x07 \u202egpj.mkv"


def idle() -> Frame:
    return frame(document([idle_cpu()], uptime_s=12.0))


def busy() -> Frame:
    devices = [device(), device("cuda:1", looking_at={"job": 2, "name": "derby.mkv", "at_s": 61.5})]
    active = [
        job(1, "running", "match/cup final.mkv", answered=240, failed=2),
        job(2, "running", "match/derby.mkv", answered=20, reused=10),
        job(3),
        job(4, "indexing", started=None),
        job(5, "indexing", started=None),
    ]
    said = document(
        devices,
        jobs={"running": 2, "queued": 1, "indexing": 2, "done": 1},
        windows={"total": 1800, "answered": 260, "failed": 2},
        done_beside=600,
        active=active,
        ended=[done(9, name="match/friendly.mkv")],
        indexing={"4": 430, "5": 1000},
        finding_scenes={"5": 0.345},
    )
    goal = '{"label": "Goal", "team": "home", "confidence": 0.9, "details": "A header from the left."}'
    card = '{"label": "Yellow card", "team": "away", "details": "The referee shows a card."}'
    odd = '{"label": "Pitch invasion", "team": "dogs", "details": "Nobody asked for this."}'
    spans = [(1, 10, goal), (2, 12, goal), (3, 14, "None"), (4, 20, card), (5, 900, odd)]
    return frame(said, [answer(number, start, text) for number, start, text in spans])


def failing() -> Frame:
    devices = [
        device(state="restarting", reason="it was killed by SIGKILL", looking_at=None),
        device("cuda:1", state="parked", reason="CUDA out of memory while loading", looking_at=None),
        device("cuda:2", state="unloaded", looking_at=None),
    ]
    broken = [failed(n, "undecodable", "no picture of it can be decoded", "re-encode it") for n in range(20, 26)]
    doubtful = [done(30, 0), done(31, failed=3, answered=597)]
    said = document(
        devices,
        jobs={"running": 1, "failed": 6, "done": 2},
        windows={"total": 600, "answered": 5, "failed": 0},
        active=[job(1, "running", answered=5)],
        ended=[*doubtful, *broken],
        failed=broken,
        doubtful=doubtful,
        inbox={"settling": [], "ignored": 0, "problem": "the inbox is gone: no such folder"},
        problems=[{"what": "disk", "reason": "94 MB are left", "remedy": "free some, then it goes on by itself"}],
    )
    return frame(said)


def many_devices() -> Frame:
    devices = [device(f"cuda:{n}", looking_at={"job": 1, "name": "cup.mkv", "at_s": n * 60.0}) for n in range(16)]
    devices[5] = device("cuda:5", state="restarting", reason="it was killed by SIGSEGV", looking_at=None)
    devices[6]["reading"] = {"utilisation": 100, "memory_used": 79 * GB, "memory_total": 80 * GB, "temperature": 88}
    windows = {"total": 600, "answered": 300, "failed": 0}
    return frame(document(devices, jobs={"running": 1}, windows=windows, active=[job(1, "running", answered=300)]))


def many_jobs() -> Frame:
    said = document(
        [device()],
        jobs={"running": 1, "queued": 4980, "indexing": 4, "done": 15},
        windows={"total": 3_000_000, "answered": 123_456, "failed": 789},
        active=[job(1, "running", answered=100), *(job(number) for number in range(2, 101))],
        ended=[done(4900 + number) for number in range(15)],
    )
    return frame(said)


def hostile() -> Frame:
    zalgo = "e" + "\u0301" * 400
    said = document(
        [device(looking_at={"job": 1, "name": HOSTILE, "at_s": 1.0}, model="[blink]m[/]")],
        jobs={"running": 3},
        windows={"total": 600, "answered": 1, "failed": 0},
        active=[job(1, "running", HOSTILE, answered=1), job(2, "running", zalgo), job(3, "running", "a" * 300)],
        failed=[failed(4, "undecodable", "[link=x]\x1b[31mred", "\x07", HOSTILE)],
    )
    text = '{"label": "[red]Goal[/] \\u001b[2J", "team": "\\u202eemoh", "details": "[bold]\\u0007"}'
    return frame(said, [answer(1, 5, text, name=HOSTILE)])


def cjk() -> Frame:
    name = "match/日本語の動画タイトルがとても長い場合の表示テスト.mp4"
    said = document(
        [device(looking_at={"job": 1, "name": name, "at_s": 7200.0})],
        jobs={"running": 1, "queued": 1},
        windows={"total": 1200, "answered": 300, "failed": 0},
        active=[job(1, "running", name, answered=300), job(2, name="match/경기.mp4")],
    )
    text = '{"label": "Goal", "team": "home", "details": "日本の選手がゴールを決めました。とても美しいシュート。"}'
    return frame(said, [answer(1, 5, text, name=name)])
