"""`git` of the routing file: the URL, the credentials as they are read, and what is odd there."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest

from router.config.live import FileRoutingSource
from router.config.load import Checked, check_text
from router.config.resolve import SecretPolicy
from router.core.errors import ConfigInvalid
from router.core.model import Secret
from router.core.routing import GitAccess
from tests.config.bad_files import CANARY

HTTPS = "https://github.com/acme/fleet"
SSH = "git@github.com:acme/fleet.git"
KEYS = "sshKey: {file: key}, knownHosts: {file: hosts}"
CA = Path(__file__).parents[1] / "remote/tls/ca.crt"


def text(url: str, git: str | None) -> str:
    return (
        "apiVersion: flux-router/v1\n"
        "hooks: [{name: github, provider: github, secrets: [{env: SET}]}]\n"
        "clusters: [{name: prod, url: 'http://flux', receiver: {token: {env: SET}}}]\n"
        "repositories:\n"
        "  - name: fleet\n"
        "    hook: github\n"
        f"    url: {url}\n"
        "    ref: main\n" + (f"    git: {{{git}}}\n" if git is not None else "") + "    layers:\n"
        "      - {name: one, paths: [one/]}\n"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "token").write_bytes(f"{CANARY}\n".encode())
    key = b"-----BEGIN RSA PRIVATE KEY-----\r\nMII\r\n-----END RSA PRIVATE KEY-----\n\n"
    (tmp_path / "key").write_bytes(key)
    (tmp_path / "hosts").write_bytes(b"host ssh-ed25519 AAAA\n\n")
    (tmp_path / "ca.crt").write_bytes(CA.read_bytes() + b"\n\n")
    return tmp_path


def check(folder: Path, url: str, git: str | None, policy: SecretPolicy = "required") -> Checked:
    return check_text(
        text(url, git),
        file_name="f",
        directory=folder,
        secrets=policy,
        environ={"SET": CANARY},
    )


def access(folder: Path, url: str, git: str, policy: SecretPolicy = "required") -> GitAccess:
    checked = check(folder, url, git, policy)
    assert checked.problems == ()
    assert checked.routing is not None
    [entry] = checked.routing.repositories
    assert entry.git is not None
    return entry.git


def warnings(checked: Checked) -> list[str]:
    assert checked.problems == ()
    return [warning.message for warning in checked.warnings]


@pytest.mark.parametrize(
    ("url", "git", "used"),
    [
        (HTTPS, "", HTTPS),
        (HTTPS, f"url: '{HTTPS}.git'", f"{HTTPS}.git"),
        ("http://gitea.svc:3000/me/x", f"url: '{HTTPS}'", HTTPS),
        (HTTPS, "url: /srv/git/fleet.git", "/srv/git/fleet.git"),
        (HTTPS, "url: 'file:///srv/git/fleet.git'", "file:///srv/git/fleet.git"),
        (SSH, KEYS, SSH),
        ("ssh://git@host:2222/x.git", KEYS, "ssh://git@host:2222/x.git"),
    ],
)
def test_the_url_is_git_s_own_or_else_the_entry_s(
    folder: Path, url: str, git: str, used: str
) -> None:
    assert access(folder, url, git).url == used


def test_without_git_an_entry_is_in_payload_mode(folder: Path) -> None:
    routing = check(folder, HTTPS, None).routing
    assert routing is not None
    assert routing.repositories[0].git is None


def test_durations_become_seconds_and_have_defaults(folder: Path) -> None:
    found = access(folder, HTTPS, "")
    assert (found.sweep_interval_seconds, found.visible_timeout_seconds) == (300, 60)
    found = access(folder, HTTPS, "sweepInterval: 10s, visibleTimeout: 1m30s")
    assert (found.sweep_interval_seconds, found.visible_timeout_seconds) == (10, 90)


def test_a_token_loses_one_final_newline(folder: Path) -> None:
    found = access(folder, HTTPS, "token: {file: token}")
    assert found == GitAccess(url=HTTPS, token=Secret(CANARY.encode()))
    assert CANARY not in repr(found)


def test_a_token_comes_from_the_environment_too(folder: Path) -> None:
    found = access(folder, HTTPS, "username: bot, token: {env: SET}")
    assert (found.username, found.token) == ("bot", Secret(CANARY.encode()))


@pytest.mark.parametrize("content", [b"a\nb", b"a\n\n", b"a\rb", b"a\0b"])
def test_a_token_is_one_line(folder: Path, content: bytes) -> None:
    (folder / "token").write_bytes(content)
    [problem] = check(folder, HTTPS, "token: {file: token}").problems
    assert problem.message == "the token holds a line break or a NUL character"


def test_keys_and_certificates_are_used_byte_for_byte(folder: Path) -> None:
    found = access(folder, SSH, KEYS)
    assert found.ssh_key == Secret((folder / "key").read_bytes())
    assert found.known_hosts == Secret((folder / "hosts").read_bytes())
    assert access(folder, HTTPS, "ca: {file: ca.crt}").ca == Secret(
        (folder / "ca.crt").read_bytes()
    )


def test_a_ca_must_be_usable(folder: Path) -> None:
    (folder / "ca.crt").write_text("no certificate")
    [problem] = check(folder, HTTPS, "ca: {file: ca.crt}").problems
    assert problem.message == "the file holds no usable PEM certificate"
    with pytest.raises(ssl.SSLError):
        ssl.create_default_context(cadata="no certificate")


@pytest.mark.parametrize(
    ("url", "git", "used", "name"),
    [
        ("https://me@dev.azure.com/a/_git/b", "", "https://dev.azure.com/a/_git/b", "me"),
        ("https://m%20e@host:8443/x", "", "https://host:8443/x", "m e"),
        ("https://me@host/x", "username: git, token: {env: SET}", "https://host/x", "git"),
        ("https://@host/x", "", "https://host/x", "git"),
        ("ssh://me@host/x", KEYS, "ssh://me@host/x", "git"),
    ],
)
def test_the_user_name_of_an_https_url_goes_with_the_token(
    folder: Path, url: str, git: str, used: str, name: str
) -> None:
    found = access(folder, url, git)
    assert (found.url, found.username) == (used, name)


def test_a_user_name_without_a_token_is_warned_of(folder: Path) -> None:
    told = warnings(check(folder, HTTPS, "username: me"))
    assert told == ["without a token, `username` does nothing"]
    assert warnings(check(folder, HTTPS, "username: me, token: {env: SET}")) == []


@pytest.mark.parametrize(
    ("passphrase", "kind", "word"),
    [("", "openssh", None), ("x" * 9, "openssh", "passphrase"), ("x" * 9, "PEM", "passphrase"),
     ("x" * 9, "PKCS8", "passphrase"), ("", "PEM", None), ("", "PKCS8", None)],
)  # fmt: skip
def test_a_key_that_ssh_could_only_ask_a_passphrase_for_is_warned_of(
    folder: Path, passphrase: str, kind: str, word: str | None
) -> None:
    (folder / "key").unlink()
    form = [] if kind == "openssh" else ["-m", kind]
    command = ["ssh-keygen", "-q", "-t", "ecdsa", "-N", passphrase, *form]
    subprocess.run([*command, "-f", str(folder / "key")], check=True, capture_output=True)
    told = warnings(check(folder, SSH, KEYS))
    assert len(told) == (0 if word is None else 1)
    assert all(word in message for message in told if word is not None)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"ssh-ed25519 AAAA me", "does not look like a private key"),
        (b"-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----", "a newline"),
    ],
)
def test_a_key_that_ssh_will_hardly_read_is_warned_of(
    folder: Path, content: bytes, word: str
) -> None:
    (folder / "key").write_bytes(content)
    [told] = warnings(check(folder, SSH, KEYS))
    assert word in told
    assert access(folder, SSH, KEYS).ssh_key == Secret(content)


@pytest.mark.parametrize(
    ("url", "git", "count"),
    [(HTTPS, "token: {file: absent}, ca: {file: absent}", 2), (SSH, KEYS, 2)],
)
def test_what_is_missing_is_an_error_unless_it_is_forgiven(
    tmp_path: Path, url: str, git: str, count: int
) -> None:
    assert len(check(tmp_path, url, git).problems) == count
    for policy in ("optional", "forgiven"):
        assert len(warnings(check(tmp_path, url, git, policy))) == count
        found = access(tmp_path, url, git, policy)
        assert found == GitAccess(url=url)


def test_git_is_no_part_of_a_layer_s_definition(folder: Path) -> None:
    definitions = set()
    for git in (None, "", "token: {file: token}", "url: /srv/x.git, sweepInterval: 10m"):
        routing = check(folder, HTTPS, git).routing
        assert routing is not None
        definitions.add(routing.layers["one"].definition)
    assert len(definitions) == 1


@pytest.mark.parametrize("name", ["token", "ca.crt"])
async def test_a_changed_secret_of_git_is_noticed(folder: Path, name: str) -> None:
    path = folder / "router.yaml"
    path.write_text(text(HTTPS, "token: {file: token}, ca: {file: ca.crt}"))
    live = FileRoutingSource(path, environ={"SET": CANARY})
    before = (await live.load()).routing
    assert not await live.has_changed()
    (folder / name).write_bytes((folder / name).read_bytes() * 2)
    assert await live.has_changed()
    if name == "token":
        with pytest.raises(ConfigInvalid):  # two lines now
            await live.load()
        return
    after = (await live.load()).routing
    assert before.repositories[0].git != after.repositories[0].git
