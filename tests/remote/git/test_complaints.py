from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.errors import GitUnavailable
from router.remote.git.complaints import (
    MAX_REASON_CHARACTERS,
    CloneDamaged,
    CommitRefused,
    FormatDiffers,
    MachineTrouble,
    RefMissing,
    explain_local,
    explain_remote,
)

ACCESS = "fatal: unable to access 'https://git.example/fleet.git/': "
SSH_END = (
    "\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct"
    " access rights\nand the repository exists.\n"
)

REMOTE: list[tuple[str, type[GitUnavailable], str]] = [
    (ACCESS + "Could not resolve host: git.example", GitUnavailable, "host name"),
    (ACCESS + "Could not resolve proxy: proxy.example", GitUnavailable, "host name"),
    (ACCESS + "Failed to connect to git.example port 443: Connection refused", GitUnavailable,
     "refused"),
    (ACCESS + "Failed to connect to git.example port 443 after 3 ms: Couldn't connect to server",
     GitUnavailable, "refused"),
    (ACCESS + "Failed to connect: No route to host", GitUnavailable, "cannot be reached"),
    (ACCESS + "Failed to connect: Connection timed out", GitUnavailable, "does not answer"),
    (ACCESS + "server certificate verification failed. CAfile: none CRLfile: none",
     GitUnavailable, "certificate"),
    (ACCESS + "SSL certificate problem: self-signed certificate", GitUnavailable, "certificate"),
    (ACCESS + "SSL: no alternative certificate subject name matches target host name 'x'",
     GitUnavailable, "certificate"),
    (ACCESS + "gnutls_handshake() failed: An unexpected TLS packet was received.",
     GitUnavailable, "https"),
    (ACCESS + "OpenSSL SSL_read: Connection reset by peer, errno 104", GitUnavailable, "broke"),
    (ACCESS + "The requested URL returned error: 403", GitUnavailable, "403"),
    (ACCESS + "The requested URL returned error: 429", GitUnavailable, "fewer requests"),
    (ACCESS + "The requested URL returned error: 503", GitUnavailable, "error of its own"),
    (ACCESS + "The requested URL returned error: 301", GitUnavailable, "moved"),
    ("fatal: Authentication failed for 'https://git.example/fleet.git/'", GitUnavailable, "token"),
    ("fatal: could not read Username for 'https://git.example': terminal prompts disabled",
     GitUnavailable, "token"),
    ("fatal: repository 'https://git.example/fleet.git/' not found", GitUnavailable, "no such"),
    ("remote: Repository not found.\nfatal: repository 'https://git.example/a/' not found",
     GitUnavailable, "no such repository"),
    ("fatal: https://git.example/fleet.git/info/refs not valid: is this a git repository?",
     GitUnavailable, "login page"),
    ("fatal: dumb http transport does not support shallow capabilities", GitUnavailable,
     "plain files"),
    ("error: RPC failed; curl 28 Operation too slow. Less than 1 bytes/sec transferred the last 30"
     " seconds\nfatal: early EOF\nfatal: fetch-pack: invalid index-pack output", GitUnavailable,
     "stopped sending"),
    ("fatal: early EOF\nfatal: fetch-pack: invalid index-pack output", GitUnavailable, "broke"),
    ("ssh: Could not resolve hostname git.example: Name or service not known" + SSH_END,
     GitUnavailable, "host name"),
    ("ssh: connect to host git.example port 22: Connection refused" + SSH_END, GitUnavailable,
     "refused"),
    ("git@git.example: Permission denied (publickey)." + SSH_END, GitUnavailable, "ssh key"),
    ("Host key verification failed." + SSH_END, GitUnavailable, "knownHosts does not have it"),
    ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed."
     + SSH_END, GitUnavailable, "has changed"),
    ('Load key "/proc/1/fd/9": error in libcrypto\ngit@git.example: Permission denied (publickey).'
     + SSH_END, GitUnavailable, "not a private key"),
    ("error: cannot run ssh: No such file or directory\nfatal: unable to fork", GitUnavailable,
     "not installed"),
    ("No user exists for uid 12345" + SSH_END, GitUnavailable, "/etc/passwd"),
    ("ERROR: Repository not found." + SSH_END, GitUnavailable, "no such repository"),
    ("fatal: '/srv/fleet.git' does not appear to be a git repository" + SSH_END, GitUnavailable,
     "no such repository"),
    ("fatal: detected dubious ownership in repository at '/srv/fleet.git'" + SSH_END,
     GitUnavailable, "another user"),
    ("fatal: transport 'http' not allowed", GitUnavailable, "only https"),
    ("fatal: remote error: the moon is full\nhttps://x.example", GitUnavailable, "moon is full"),
    ("fatal: couldn't find remote ref refs/heads/none", RefMissing, "no such ref"),
    ("fatal: remote error: upload-pack: not our ref " + "1" * 40, CommitRefused, "no more"),
    ("error: Server does not allow request for unadvertised object " + "1" * 40, CommitRefused,
     "no more"),
    ("fatal: mismatched algorithms: client sha1; server sha256", FormatDiffers, "another kind"),
    ("fatal: write error: No space left on device\nfatal: fetch-pack: invalid index-pack output",
     MachineTrouble, "disk is full"),
    ("error: index-pack died of signal 25", MachineTrouble, "disk is full"),
    ("error: index-pack died of signal 9", MachineTrouble, "memory"),
    ("fatal: Unable to create '/clones/x.git/shallow.lock': Read-only file system",
     MachineTrouble, "read-only"),
    ("fatal: Unable to create '/clones/x.git/shallow.lock': Permission denied", MachineTrouble,
     "cannot be written"),
    ("fatal: bad object refs/tips/1", CloneDamaged, "bad object"),
    ("fatal: pack has 3 unresolved deltas\nfatal: fetch-pack: invalid index-pack output",
     CloneDamaged, "unresolved"),
    ("", CloneDamaged, "without a word"),
]  # fmt: skip


@pytest.mark.parametrize(("complaint", "kind", "word"), REMOTE)
def test_what_git_says_of_a_host_is_told_apart(
    complaint: str, kind: type[GitUnavailable], word: str
) -> None:
    explained = explain_remote(complaint)
    assert type(explained) is kind
    assert word in str(explained)
    assert "git.example" not in str(explained)


def test_what_a_host_would_like_people_to_read_decides_nothing() -> None:
    said = "remote: No space left on device, couldn't find remote ref x\n"
    assert type(explain_remote(said + "fatal: early EOF")) is GitUnavailable


@pytest.mark.parametrize(
    ("complaint", "kind", "word"),
    [
        ("error: unable to create temporary file: No space left on device", MachineTrouble, "full"),
        ("fatal: unable to create 'refs/planned/a.lock': Permission denied", MachineTrouble, "wri"),
        ("fatal: not a git repository: '/clones/x.git'", CloneDamaged, "not a git repository"),
        # An object is missing, and the host must not be asked for it.
        ("fatal: transport 'https' not allowed", CloneDamaged, "not allowed"),
        ("fatal: Connection refused", CloneDamaged, "refused"),
    ],
)
def test_a_command_that_asks_no_host_has_only_the_clone_or_the_machine_to_blame(
    complaint: str, kind: type[GitUnavailable], word: str
) -> None:
    explained = explain_local(complaint)
    assert type(explained) is kind
    assert word in str(explained)


@given(st.text(st.characters(codec="utf-8"), max_size=900))
def test_a_reason_is_one_short_line_without_urls_whatever_the_host_says(text: str) -> None:
    for explained in (
        explain_remote(f"fatal: remote error: https://u:canary@h/x {text}"),
        explain_remote(f"fatal: {text} https://u:canary@h/x"),
        explain_local(f"error: {text} https://u:canary@h/x"),
    ):
        reason = str(explained)
        assert reason.isprintable()
        assert len(reason) <= MAX_REASON_CHARACTERS + 20
        assert "canary" not in reason
