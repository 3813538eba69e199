"""What goes wrong between a command and a service: one line that says what to do."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from router.cli.app import cli
from router.core.errors import RouterError, SettingsInvalid
from router.core.model import Secret
from router.remote.admin import AdminClient, AdminRefused, AdminUnavailable
from tests.cli.live import Listener, Live, run_at, serve_answer

CANARY = "canary-token"

COMMANDS = [
    ("deliveries",),
    ("deliveries", "x" * 36),
    ("layers",),
    ("layers", "app1"),
    ("replay", "x" * 36),
    ("notify", "app1"),
    ("explain", "--delivery", "x" * 36),
]


def error_of(url: str, *words: str, **environ: str) -> str:
    """The one line that a command is refused with."""
    result = run_at(url, *words, **environ)
    assert isinstance(result.exception, RouterError), result.output
    assert result.stdout == ""
    told = str(result.exception)
    assert "\n" not in told
    assert CANARY not in told
    return told


@pytest.mark.parametrize("words", COMMANDS)
def test_a_service_that_is_not_there_is_told(words: tuple[str, ...]) -> None:
    told = error_of("http://127.0.0.1:9", *words)
    assert told.startswith("cannot reach the admin API at http://127.0.0.1:9: connection refused")
    assert "--admin-url" in told


@pytest.mark.parametrize(
    ("status", "body", "kind", "told"),
    [
        (200, b"<html></html>", "text/html", "answered with text/html, not with the JSON"),
        (200, b"{}", "application/json", "is it the address of the admin listener?"),
        (200, b"[]", "application/json", "is it the address of the admin listener?"),
        (200, b"[" * 100_000, "application/json", "not with the JSON of the admin API"),
        (200, b"\xff", "", "answered with something without a content type"),
        (401, b'{"detail":"the admin API needs the bearer token"}', "application/json",
         "refused (401: the admin API needs the bearer token); give the token's file"),
        (403, b"<html>", "text/html", "refused (403); give the token's file"),
        (404, b"<html>", "text/html", "older than this command, or not the address"),
        (404, b'{"detail":"no such resource or method"}', "application/json",
         "older than this command, or not the address"),
        (405, b"{}", "application/json", "older than this command, or not the address"),
        (404, b'{"detail":"no such delivery"}', "application/json", "no such delivery"),
        (302, b"", "text/html", "answered with a redirect (302), not followed"),
        (400, b'{"detail":"limit must be a whole number"}', "application/json", "refused (400: "),
        (503, b'{"detail":"the database is full"}', "application/json",
         "cannot answer now (503: the database is full)"),
        (502, b"bad gateway", "text/plain", "cannot answer now (502)"),
    ],
)  # fmt: skip
def test_an_answer_that_is_no_answer_is_one_line(
    status: int, body: bytes, kind: str, told: str
) -> None:
    with serve_answer(status, body, kind=kind, Location="http://127.0.0.1:9/") as url:
        assert told in error_of(url, "layers")


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_tells_what_is_no_answer(words: tuple[str, ...]) -> None:
    with serve_answer(200, b'{"status":"ok"}') as url:
        assert "is it the address of the admin listener?" in error_of(url, *words)


def test_what_a_service_says_is_printed_escaped_and_exits_1() -> None:
    with serve_answer(404, json.dumps({"detail": "no \x1b[31m such\nlayer"}).encode()) as url:
        done = subprocess.run(
            [sys.executable, "-m", "router", "layers", "x", "--admin-url", url],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "flux-router: no \\x1b[31m such\nlayer\n"


@pytest.mark.parametrize("rows", ["x", [1], None])
def test_a_list_that_is_none_is_refused(rows: object) -> None:
    body = json.dumps({"deliveries": rows, "layers": rows}).encode()
    with serve_answer(200, body) as url:
        assert "not one of the admin API" in error_of(url, "deliveries")
        assert "not one of the admin API" in error_of(url, "layers")


def test_an_endpoint_that_a_service_lacks_is_named() -> None:
    with serve_answer(404, b'{"error":"not_found","detail":"no such resource or method"}') as url:
        client = AdminClient(url, token=None)
        with pytest.raises(AdminRefused) as caught:
            client.explain("x")
        client.close()
    assert f"{url} has no POST /explain of the admin API" in str(caught.value)


def test_the_public_listener_is_not_taken_for_the_admin_listener(live: Live) -> None:
    assert "not the address of an admin listener" in error_of(f"{live.url}/hooks", "layers")


def test_a_token_that_no_header_can_carry_is_not_shown(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(f"{CANARY}\ninjected: header")
    told = error_of("http://127.0.0.1:9", "layers", ROUTER_ADMIN_TOKEN_FILE=str(token))
    assert told == "the token has bytes that no HTTP header can carry"


@pytest.mark.parametrize(
    "url", ["ftp://x", "http://", "http://u:p@host", "x", "http://h:99999", "http://h?x"]
)
def test_a_url_that_is_none_is_wrong_usage(url: str) -> None:
    result = run_at(url, "layers")
    assert result.exit_code == 2
    assert "ROUTER_ADMIN_URL: must be http://host:port" in result.stderr


def test_the_token_comes_from_a_file_named_by_option_or_variable(
    listener: Listener, tmp_path: Path
) -> None:
    token, wrong = tmp_path / "token", tmp_path / "wrong"
    token.write_text(f"{CANARY}\n")
    wrong.write_text(f"not-{CANARY}")
    url = listener.serve(token=CANARY.encode()).url
    assert "give the token's file with --token-file" in error_of(url, "layers")
    told = error_of(url, "layers", "--token-file", str(wrong))
    assert "the token given is not the service's" in told
    assert run_at(url, "layers", "--token-file", str(token)).exit_code == 0
    assert run_at(url, "layers", ROUTER_ADMIN_TOKEN_FILE=str(token)).exit_code == 0


def test_a_token_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    result = run_at("http://127.0.0.1:9", "layers", "--token-file", str(tmp_path / "none"))
    assert isinstance(result.exception, SettingsInvalid)
    assert "No such file" in str(result.exception)


def test_a_service_that_is_silent_is_not_waited_for_for_ever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        client = AdminClient(url, token=None, deadline_seconds=0.05)
        with pytest.raises(AdminUnavailable, match=r"nothing came within 0\.05 s"):
            client.layers()
        client.close()


def test_a_proxy_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "nonsense://proxy")
    with pytest.raises(AdminRefused, match="the proxy or the certificates"):
        AdminClient("http://router.test", token=None)


def test_a_token_is_not_sent_through_a_proxy_to_this_machine(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert live.run("layers").exit_code == 0
    assert run_at(live.url.replace("127.0.0.1", "localhost"), "layers").exit_code == 0


def test_no_token_is_shown() -> None:
    client = AdminClient("http://127.0.0.1:9", token=Secret(CANARY.encode()))
    assert CANARY not in repr(client)
    client.close()


def complete(words: list[str], begun: str) -> list[str]:
    completer = ShellComplete(cli, {}, "flux-router", "_FLUX_ROUTER_COMPLETE")
    return [item.value for item in completer.get_completions(words, begun)]


def test_shells_complete_layers_and_deliveries(live: Live) -> None:
    live.push(1)
    at = ["--admin-url", live.url]
    assert complete(["notify", *at], "app") == ["app1", "app2", "app3"]
    assert complete(["layers", *at], "data") == ["databases"]
    assert complete(["replay", *at], "") == ["id-000001"]
    assert complete(["deliveries", *at], "x") == []
    assert complete(["explain", *at, "--delivery"], "id") == ["id-000001"]


def test_shells_complete_nothing_without_a_service() -> None:
    assert complete(["notify", "--admin-url", "http://127.0.0.1:9"], "") == []
    assert complete(["notify", "--admin-url", "nonsense"], "") == []


def test_shells_complete_commands() -> None:
    assert complete([], "de") == ["deliveries", "demo", "derive"]
