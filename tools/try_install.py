"""Follow the README's "Install as a service" to the letter, in a Debian of its own, and use what was installed.

    sudo python tools/try_install.py --root /var/tmp/vlmd-root

Needs root, debootstrap, and (the first time) a Debian mirror. Nothing is booted: `systemctl` runs inside the root,
where it says what it cannot do, and `install_kit/confine.py` starts the service under what its unit says. Packages
are copied from this environment instead of downloaded. The folder is kept and may be used again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from install_kit import readme
from install_kit.confine import NOTIFY_SOCKET
from install_kit.manager import Listener
from install_kit.root import Root, require_root

from vlmd.demo.game import LABELS, TEAMS
from vlmd.demo.render import render_match
from vlmd.demo.stage import FRAME_EDGE

SOURCE = Path(__file__).parents[1]
UNIT = "/etc/systemd/system/vlmd.service"
LANDLOCK = "landlock"
START_SECONDS = 120.0
MOST_EXPOSED = 6
"""Tenths, as `systemd-analyze security --threshold` counts."""

PIPELINE = f"""
[devices]
use = ["cpu"]

[models.demo]
path = "vlmd-demo"
frame_edge = {FRAME_EDGE}

[pipelines.match]
model = "demo"
labels = {json.dumps(LABELS)}
teams = {json.dumps(TEAMS)}
"""


class Trial:
    def __init__(self, folder: Path) -> None:
        self.root = Root(folder)
        self.text = (SOURCE / "README.md").read_text()
        self.log = folder / "vlmd.log"

    def follow(self, heading: str) -> None:
        """Type what the README says, but for downloads, into a shell of its own."""
        folder = "/"
        for command in readme.commands(self.text, heading):
            if "/pip install" in command:
                print(f"  # {command}   (packages copied, vlmd built from {SOURCE})")
                self.root.copy_packages()
                self.root.install_wheel(SOURCE)
                continue
            print(f"  # {command}")
            booted = not command.startswith("systemctl")
            done = self.root.run(f"cd {folder} && {command}", check=booted)
            print("".join(f"      {line}\n" for line in (done.stdout + done.stderr).splitlines()), end="")
            if command.startswith("cd "):
                folder = command.removeprefix("cd ")

    def install(self) -> None:
        for user in ("anna", "bert", "dora"):
            self.root.run(f"id {user} || useradd --create-home {user}")
        self.follow("Install as a service")
        require(self.root.run("systemctl is-enabled vlmd").stdout == "enabled\n", "the service is enabled")
        with (self.root.folder / "etc/vlmd/config.toml").open("a") as config:
            config.write(PIPELINE)
        check = f"systemd-analyze verify {UNIT} && systemd-analyze security --offline=true --threshold={MOST_EXPOSED}"
        print(self.root.run(f"{check} {UNIT}").stdout.splitlines()[-1])

    def use(self) -> None:
        """As people of the group, and outside it, would."""
        result = "/srv/vlmd/results/match/season/game.mp4.json"
        self.as_anna("mkdir /srv/vlmd/inbox/match/season")
        self.as_anna("cp /home/anna/game.mp4 /srv/vlmd/inbox/match/season/")
        self.until(lambda: self.root.run(f"test -e {result}", "anna", check=False).returncode == 0, "there is a result")
        found = json.loads(self.as_anna(f"cat {result}"))
        status = json.loads(self.as_anna("vlmd status --json"))
        say(f"anna dropped a video and read its result: {len(found['events'])} events")
        require(status["sandbox_missing"] == [], "the decoders locked themselves up entirely")
        require("game.mp4" in self.as_anna("vlmd jobs"), "anna sees the job")
        self.refused("anna", f"touch {result}", "anna cannot change a result")
        self.refused("anna", "ls /var/lib/vlmd", "anna cannot look into the state folder")
        self.refused("dora", "rm /srv/vlmd/inbox/match/season/game.mp4", "dora, a member, cannot delete anna's video")
        for command in ("ls /srv/vlmd/inbox", f"cat {result}", "cat /etc/vlmd/config.toml", "vlmd status"):
            self.refused("bert", command, f"bert, who is no member, is refused: {command}")
        self.root.run("install -m 644 /etc/vlmd/config.toml /tmp/own.toml")
        ran = self.root.run("vlmd --config /tmp/own.toml status", "bert", check=False)
        require("you may not talk to the daemon" in ran.stderr, f"bert's own configuration does not help: {ran.stderr}")

    def use_without_landlock(self) -> None:
        """The same unit without its last filter: whether the trial would notice."""
        self.as_anna("cp /home/anna/game.mp4 /srv/vlmd/inbox/match/unprotected.mp4")
        self.until(lambda: "no-sandbox" in self.as_anna("vlmd jobs --json"), "decoding is refused")
        say("without the unit's Landlock line no video is decoded: no-sandbox")

    def remove(self) -> None:
        self.follow("Uninstall")
        self.root.run("rm -r /tmp/wheels /tmp/own.toml")
        left = self.root.run("find / -xdev -iname '*vlmd*' -not -path '/vlmd.log' -not -path '/proc/*'").stdout.split()
        require(left == [], f"nothing of vlmd is left {left or ''}")

    def people(self) -> None:
        """anna and dora belong to the group, bert does not; a video for anna."""
        for command in readme.commands(self.text, "Install as a service"):
            if command.startswith("usermod"):
                self.root.run(command.replace("anna", "dora"))
        film = self.root.folder / "home/anna/game.mp4"
        render_match(film, 1_000_000, 20)
        self.root.run("chown anna:anna /home/anna/game.mp4")

    @contextlib.contextmanager
    def serving(self, without: str = "") -> Iterator[None]:
        """The service runs inside, and is told to stop at the end; on a failure it is killed."""
        self.manager = Listener(self.root.folder / NOTIFY_SOCKET.lstrip("/"))
        daemon = self.root.start_service(UNIT, self.log, without)
        try:
            self.manager.until("READY=1", START_SECONDS)
            status = self.manager.until("WATCHDOG=1", START_SECONDS).splitlines()[-1]
            self.confined(self.main_process(daemon))
            say(f"the service is ready and fed its watchdog: {status}")
            yield
            self.stop(daemon)
        except TimeoutError:
            raise SystemExit(f"the service said nothing:\n{self.log.read_text()[-3000:]}") from None
        finally:
            daemon.kill()

    def stop(self, daemon: subprocess.Popen[bytes]) -> None:
        """As KillMode=mixed does: the main process alone is told."""
        os.kill(self.main_process(daemon), signal.SIGTERM)
        require(daemon.wait(90) == 0, "told to stop, it ended with exit code 0")
        self.root.run("rm -r /run/vlmd")  # as the service manager does with a RuntimeDirectory

    def main_process(self, daemon: subprocess.Popen[bytes]) -> int:
        return int(self.root.run(f"pgrep --parent {daemon.pid}").stdout)

    def confined(self, pid: int) -> None:
        """The kernel agrees that the unit's restrictions hold."""
        status = Path(f"/proc/{pid}/status").read_text()
        held = dict(line.split(":\t", 1) for line in status.splitlines())
        require(
            (held["NoNewPrivs"], held["Seccomp_filters"], int(held["CapBnd"], 16)) == ("1", "2", 0),
            "the service has no new privileges, two filters and no capability to gain",
        )
        network = [Path(f"/proc/{process}/ns/net").readlink() for process in (pid, "self")]
        require(network[0] != network[1], "the service has a network of its own, with nothing in it")

    def as_anna(self, command: str) -> str:
        return self.root.run(command, "anna").stdout

    def refused(self, user: str, command: str, what: str) -> None:
        ran = self.root.run(command, user, check=False)
        require(ran.returncode != 0 and "Traceback" not in ran.stderr, f"{what} ({ran.stderr.strip()})")

    def until(self, true: Callable[[], bool], what: str, seconds: float = 600.0) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                raise SystemExit(f"not within {seconds:.0f} s: {what}\n{self.log.read_text()[-3000:]}")
            time.sleep(0.5)


def say(what: str) -> None:
    print(f"ok: {what}", flush=True)


def require(true: bool, what: str) -> None:
    if not true:
        raise SystemExit(f"NOT SO: {what}")
    say(what)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="a folder for the Debian, made where it is missing")
    folder = parser.parse_args().root.absolute()
    require_root()
    trial = Trial(folder)
    trial.root.prepare()
    trial.install()
    trial.people()
    with trial.serving():
        trial.use()
    with trial.serving(without=LANDLOCK):
        trial.use_without_landlock()
    trial.follow("Upgrade")
    with trial.serving():
        pass
    trial.remove()


if __name__ == "__main__":
    main()
