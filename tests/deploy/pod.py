"""A rendered Deployment as a process of this machine: a folder stands for the root file system."""

from __future__ import annotations

import asyncio
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tests.deploy.image import Image
from tests.deploy.rendered import ROOT, Manifest, only

if TYPE_CHECKING:
    from collections.abc import Mapping

NOWHERE = "127.0.0.1:1"
"""Where nobody listens: no test may ask the hosts that the routing file names."""

PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.02


@dataclass(kw_only=True)
class Pod:
    """The one container of a Deployment: mounts are folders, ports are others here."""

    manifests: tuple[Manifest, ...]
    folder: Path
    secrets: Mapping[str, Mapping[str, str]]
    """Name of a Secret → its keys and values. One that is not there may be missing."""
    image: Image
    ports: Mapping[int, int]
    """Port in the container → port here."""

    def __post_init__(self) -> None:
        self.spec: dict[str, Any] = only(self.manifests, "Deployment")["spec"]["template"]["spec"]
        (self.container,) = self.spec["containers"]
        for mount in self.container["volumeMounts"]:
            self._mount(mount)

    @property
    def command(self) -> list[str]:
        """The image's entry point with the Deployment's arguments, in this interpreter."""
        words = self.container.get("command", self.image.entrypoint)
        return self._here([*words, *self.container.get("args", self.image.arguments)])

    @property
    def environment(self) -> dict[str, str]:
        """The image's variables and over them the Deployment's, and nothing of this machine's."""
        given = {item["name"]: self._value(item) for item in self.container["env"]}
        found = self.image.environment | {"ROUTER_PUBLIC_BIND": "0.0.0.0:8080"} | given
        mapped = {name: self._map(value) for name, value in found.items()}
        return mapped | {"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": str(ROOT)}

    def address(self, probe: str) -> str:
        """The URL that a probe asks."""
        asked = self.container[probe]["httpGet"]
        return f"http://127.0.0.1:{self.port(asked['port'])}{asked['path']}"

    def port(self, name: str) -> int:
        """The port of this machine that stands for a named one of the container."""
        (found,) = (each for each in self.container["ports"] if each["name"] == name)
        return self.ports[found["containerPort"]]

    async def start(self) -> asyncio.subprocess.Process:
        with (self.folder / "log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *self.command,
                cwd=self._map(self.image.folder),
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def check_health(self) -> int:
        """The exit code of the image's own health check."""
        words = self._here(self.image.health)
        for number, here in self.ports.items():
            words = [word.replace(f" {number},", f" {here},") for word in words]
        process = await asyncio.create_subprocess_exec(*words, env=self.environment)
        return await process.wait()

    def files(self, *, read_only: bool) -> set[Path]:
        """What there is on the mounts of that kind."""
        mounts = [
            Path(self._map(mount["mountPath"]))
            for mount in self.container["volumeMounts"]
            if mount.get("readOnly", False) is read_only
        ]
        return {file for mount in mounts for file in mount.rglob("*")}

    def _here(self, words: list[str]) -> list[str]:
        assert words[0] == "python"
        return [sys.executable, *words[1:]]

    def _mount(self, mount: Mapping[str, Any]) -> None:
        (volume,) = (each for each in self.spec["volumes"] if each["name"] == mount["name"])
        folder = Path(self._map(mount["mountPath"]))
        folder.mkdir(parents=True)
        for name, text in self._contents(volume).items():
            (folder / name).write_text(text)

    def _contents(self, volume: Mapping[str, Any]) -> dict[str, str]:
        if "configMap" in volume:
            data = only(self.manifests, "ConfigMap", volume["configMap"]["name"])["data"]
            return {name: self._map(_without_hosts(text)) for name, text in data.items()}
        if "secret" not in volume:
            return {}
        found = self.secrets.get(volume["secret"]["secretName"])
        assert found is not None or volume["secret"].get("optional"), volume
        chosen = {item["key"]: item["path"] for item in volume["secret"].get("items", [])}
        keys = {key: chosen.get(key, key) for key in found or {} if key in chosen or not chosen}
        return {path: (found or {})[key] for key, path in keys.items()}

    def _value(self, item: Mapping[str, Any]) -> str:
        if "value" in item:
            return str(item["value"])
        named = item["valueFrom"]["secretKeyRef"]
        return self.secrets[named["name"]][named["key"]]

    def _map(self, text: str) -> str:
        """Paths that are mounted, and ports to listen on, as they are on this machine."""
        mounts = "|".join(each["mountPath"] for each in self.container["volumeMounts"])
        text = re.sub(rf"(?<![\w.])({mounts})(?![\w-])", rf"{self.folder}\1", text)
        for number, here in self.ports.items():
            text = re.sub(rf"^([\d.]*):{number}$", rf"\g<1>:{here}", text)
        return text


async def wait_for(url: str, process: asyncio.subprocess.Process, *, status: int = 200) -> None:
    """Ask *url* until it answers with *status*; fails when the process ends before that."""
    async with asyncio.timeout(PATIENCE_SECONDS), httpx.AsyncClient(trust_env=False) as client:
        while await _status(client, url) != status:
            assert process.returncode is None, "the process has ended"
            await asyncio.sleep(POLL_SECONDS)


async def _status(client: httpx.AsyncClient, url: str) -> int:
    try:
        return (await client.get(url)).status_code
    except httpx.TransportError:
        return 0


def _without_hosts(routing: str) -> str:
    text = routing.replace("https://github.com", f"https://{NOWHERE}")
    return text.replace("webhook-receiver.flux-system.svc", NOWHERE)
