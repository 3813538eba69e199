"""adnanh's webhook, a receiver of webhooks that many run: from PATH, or from Debian's package."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from bench.pushes import SECRET

UNPACKED = Path(__file__).parents[1] / ".cache" / "webhook"


def find_webhook() -> Path:
    """The command; Debian's package is unpacked beside the checkout where it is not installed."""
    installed = shutil.which("webhook")
    if installed:
        return Path(installed)
    command = UNPACKED / "usr/bin/webhook"
    if not command.exists():
        UNPACKED.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "webhook"], cwd=UNPACKED, check=True)
        (package,) = UNPACKED.glob("webhook_*.deb")
        subprocess.run(["dpkg", "-x", package, UNPACKED], check=True)
    return command


def write_hooks(folder: Path) -> Path:
    """One hook that checks GitHub's signature and the branch, and then runs a command."""
    signed = {
        "type": "payload-hmac-sha256",
        "secret": SECRET.decode(),
        "parameter": {"source": "header", "name": "X-Hub-Signature-256"},
    }
    branch = {
        "type": "value",
        "value": "refs/heads/main",
        "parameter": {"source": "payload", "name": "ref"},
    }
    hook = {
        "id": "github",
        "execute-command": shutil.which("true"),
        "trigger-rule": {"and": [{"match": signed}, {"match": branch}]},
    }
    file = folder / "hooks.json"
    file.write_text(json.dumps([hook]))
    return file
