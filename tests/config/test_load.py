"""Secrets, definitions and files: what loading adds to the checks of single keys."""

from __future__ import annotations

import os
import ssl
from hashlib import sha256
from pathlib import Path

import pytest

from router.config.load import Checked, check_file, check_text
from router.config.report import MAX_HINTS
from router.config.secret_files import MAX_SECRET_BYTES
from router.core.model import Secret
from tests.config.bad_files import CANARY

HOOK = "secrets: [{file: hook}]"
TOKEN = "token: {file: 'tokens/{layer}'}"
URL = "url: http://flux"
TEXT = f"""\
apiVersion: flux-router/v1
hooks:
  - name: github
    provider: github
    {HOOK}
clusters:
  - name: prod
    {URL}
    receiver: {{{TOKEN}}}
repositories:
  - name: fleet
    hook: github
    url: https://github.com/acme/fleet
    ref: main
    layers:
      - name: one
        paths: [one/]
      - name: two
        paths: [two/, "!two/x"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tokens").mkdir()
    (tmp_path / "hook").write_bytes(b"hook\n")
    (tmp_path / "tokens/one").write_bytes(b"token-one")
    (tmp_path / "tokens/two").write_bytes(b"token-two")
    return tmp_path


def check(folder: Path, *changes: tuple[str, str], secrets: str = "required") -> Checked:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return check_text(
        text,
        file_name="router.yaml",
        directory=folder,
        secrets="optional" if secrets == "optional" else "required",
        environ={"SET": CANARY},
    )


def told(checked: Checked) -> list[str]:
    return [str(problem) for problem in checked.problems]


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"hook", b"hook"),
        (b"hook\n", b"hook"),
        (b"hook\r\n", b"hook"),
        (b"hook\n\n", b"hook\n"),
        (b" hook ", b" hook "),
        (b"hook\r", b"hook\r"),
        (b"\xff\x00", b"\xff\x00"),
    ],
)
def test_a_hook_secret_loses_one_final_newline(folder: Path, content: bytes, secret: bytes) -> None:
    (folder / "hook").write_bytes(content)
    routing = check(folder).routing
    assert routing is not None
    assert routing.hooks["github"].secrets == (Secret(secret),)


@pytest.mark.parametrize("token", [b"token", b"token\n", b"\n", b" \xff\r\n"])
def test_a_receiver_token_is_used_byte_for_byte(folder: Path, token: bytes) -> None:
    (folder / "tokens/one").write_bytes(token)
    checked = check(folder)
    assert checked.routing is not None
    assert checked.routing.receivers["prod/flux-system/one"].token == Secret(token)
    warned = [w for w in checked.warnings if "ends with a newline" in w.message]
    assert bool(warned) == token.endswith(b"\n")


def test_each_layer_has_its_own_token_file(folder: Path) -> None:
    routing = check(folder).routing
    assert routing is not None
    assert [receiver.token for receiver in routing.receivers.values()] == [
        Secret(b"token-one"),
        Secret(b"token-two"),
    ]


def test_secrets_come_from_the_environment_too(folder: Path) -> None:
    routing = check(folder, (HOOK, "secrets: [{env: SET}]"), (TOKEN, "token: {env: SET}")).routing
    assert routing is not None
    assert routing.hooks["github"].secrets == (Secret(CANARY.encode()),)
    assert CANARY not in repr(routing)


def test_an_unusable_secret_is_told_by_its_file_and_not_by_its_content(folder: Path) -> None:
    (folder / "hook").write_bytes(CANARY.encode() * MAX_SECRET_BYTES)
    (folder / "tokens/one").write_bytes(b"")
    (folder / "tokens/two").unlink()
    (folder / "tokens/two").mkdir()
    assert told(check(folder)) == [
        f"router.yaml:5:22: the file {folder}/hook is larger than 64 KiB",
        f"router.yaml:9:30: the file {folder}/tokens/one is empty",
        f"router.yaml:9:30: the file {folder}/tokens/two cannot be read: it is not a regular file",
    ]


def test_a_named_pipe_is_not_waited_for(folder: Path) -> None:
    (folder / "hook").unlink()
    os.mkfifo(folder / "hook")
    assert "not a regular file" in told(check(folder))[0]


def test_a_secret_of_exactly_the_limit_is_taken(folder: Path) -> None:
    (folder / "hook").write_bytes(b"x" * MAX_SECRET_BYTES)
    assert check(folder).routing is not None


def test_missing_secrets_are_told_together_with_other_errors(folder: Path) -> None:
    (folder / "hook").unlink()
    problems = told(check(folder, ("one/", "../one"), ("ref: main", "reff: main")))
    assert [problem.split(":")[1] for problem in problems] == ["5", "11", "14", "17"]


def test_without_secrets_a_file_can_still_be_checked(tmp_path: Path) -> None:
    strict, lenient = check(tmp_path), check(tmp_path, secrets="optional")
    assert [w.message for w in lenient.warnings] == [p.message for p in strict.problems]
    assert strict.routing is None
    assert lenient.problems == ()
    assert lenient.routing is not None
    assert lenient.routing.hooks["github"].secrets == ()
    assert [receiver.token for receiver in lenient.routing.receivers.values()] == [None, None]


@pytest.mark.parametrize(
    "auth",
    [
        "{basic: {username: me, password: {file: absent}}}",
        "{header: {name: x, value: {file: absent}}}",
        "{path: {file: absent}}",
    ],
)
def test_a_hook_whose_credential_is_missing_has_none_that_could_be_guessed(
    folder: Path, auth: str
) -> None:
    routing = check(folder, (HOOK, f"auth: {auth}"), secrets="optional").routing
    assert routing is not None
    assert routing.hooks["github"].auth is None
    assert routing.hooks["github"].secrets == ()


def test_an_empty_secret_is_an_error_even_where_a_missing_one_is_not(folder: Path) -> None:
    (folder / "hook").write_bytes(b"\n")
    assert told(check(folder, secrets="optional")) == [
        "router.yaml:5:22: the secret is empty but for a newline"
    ]


def test_the_bearer_file_of_generic_oidc_is_not_read(folder: Path) -> None:
    (folder / "tokens/one").unlink()
    routing = check(folder, (TOKEN, f"type: generic-oidc, {TOKEN}")).routing
    assert routing is not None
    one = routing.receivers["prod/flux-system/one"]
    assert (one.token, one.bearer_file) == (None, str(folder / "tokens/one"))


def test_a_ca_file_must_hold_a_certificate(folder: Path) -> None:
    (folder / "ca.crt").write_text("no certificate")
    change = (URL, "url: https://flux\n    tls: {ca: {file: ca.crt}}")
    assert told(check(folder, change)) == [
        "router.yaml:9:22: the file holds no usable PEM certificate"
    ]


def test_a_real_ca_file_is_taken(folder: Path) -> None:
    certificates = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not certificates:
        pytest.skip("this machine has no CA certificates to try with")
    (folder / "ca.crt").write_text(ssl.DER_cert_to_PEM_cert(certificates[0]))
    routing = check(folder, (URL, "url: https://flux\n    tls: {ca: {file: ca.crt}}")).routing
    assert routing is not None
    assert routing.clusters["prod"].ca_file == str(folder / "ca.crt")


def definitions(checked: Checked) -> dict[str, str]:
    assert checked.routing is not None
    return {layer.name: layer.definition for layer in checked.routing.layers.values()}


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("[one/]", "[one/, two/]", {"one"}),
        ('"!two/x"', '"!two/y"', {"two"}),
        ("ref: main", "ref: other", {"one", "two"}),
        ("ref: main", "ref: refs/heads/main", set()),
        ("acme/fleet", "acme/other", {"one", "two"}),
        ("https://github.com/acme/fleet", "git@github.com:acme/fleet.git", set()),
        ("[one/]", "[one/]\n        receiver: {name: x}", {"one"}),
        ("[one/]", "[one/]\n        suspend: true", set()),
        ("hook: github", "unmapped: all\n    hook: github", set()),
        (TOKEN, "token: {env: SET}", set()),
        (URL, "url: http://other", set()),
    ],
)
def test_a_definition_changes_with_patterns_ref_url_and_receivers_alone(
    folder: Path, old: str, new: str, changed: set[str]
) -> None:
    before, after = definitions(check(folder)), definitions(check(folder, (old, new)))
    assert {name for name in before if before[name] != after[name]} == changed


def test_the_digest_is_that_of_the_text(folder: Path) -> None:
    routing = check(folder).routing
    assert routing is not None
    assert routing.digest == sha256(TEXT.encode()).hexdigest()


def test_a_byte_order_mark_does_not_count(folder: Path) -> None:
    (folder / "router.yaml").write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert check_file(folder / "router.yaml", environ={}).problems == ()


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    assert [str(p) for p in check_file(path).problems] == [
        f"{path}:1:1: the file cannot be read: No such file or directory"
    ]
    assert "not a regular file" in str(check_file(tmp_path).problems[0])
    assert check_file(Path("\0")).routing is None


def test_three_thousand_layers_in_a_row_are_no_recursion(folder: Path) -> None:
    layers = "".join(
        f"      - {{name: l{n}, paths: [l{n}], dependsOn: [l{n + 1}]}}\n" for n in range(3000)
    )
    last = "      - {name: l3000, paths: [x], dependsOn: [l0]}\n"
    text = TEXT.replace(TOKEN, "token: {env: SET}") + layers + last
    checked = check_text(text, file_name="f", directory=folder, environ={"SET": "x"})
    assert [p.message for p in checked.problems] == [
        "`dependsOn` goes round in a circle: "
        "l0 → l1 → l2 → l3 → l4 → l5 → l6 → … → l0 (3001 layers)"
    ]


def test_only_the_first_unknown_names_get_a_hint(folder: Path) -> None:
    names = ", ".join(f"one{number}" for number in range(MAX_HINTS + 9))
    problems = told(check(folder, ("[one/]", f"[one/]\n        dependsOn: [{names}]")))
    assert len(problems) == MAX_HINTS + 9
    assert sum("did you mean `one`?" in problem for problem in problems) == MAX_HINTS
