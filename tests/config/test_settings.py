"""The environment: defaults, limits, typos, and that no value is repeated."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.config.binds import Bind, parse_bind
from router.config.settings import Settings, load_settings, read_admin_token, variable
from router.core.errors import SettingsInvalid
from router.core.model import Secret
from tests.config.bad_files import CANARY

BAD_POSTGRES_URLS = [
    f"postgresql://me:{CANARY}",  # no database
    f"postgresql://me:{CANARY}@db",
    f"postgresql://me:{CANARY}@db/",
    f"postgresql://me:a@{CANARY}@db/x",  # the driver would look for the host CANARY@db
    f"postgresql://me:1/{CANARY}@db/x",  # would be port 1 of the host me
    f"postgresql://me:1?{CANARY}@db/x",
    f"postgresql://me:1#{CANARY}@db/x",
    f"postgresql://me:{CANARY}@db:port/x",
    f"postgresql://me:{CANARY}@[db/x",
    f"postgresql://me:{CANARY} @db/x",
    f"postgresql://me:{CANARY}@db/x?sslmode",
]


def problems(**environ: str) -> list[str]:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(environ)
    return str(caught.value).splitlines()


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = load_settings({"PATH": "/bin", "router_config": "x"})
    assert settings.config == Path("router.yaml")
    assert str(settings.database_url) == "./flux-router.db"
    assert settings.public_bind.address == ("0.0.0.0", 8080)
    assert settings.admin_bind.address == ("127.0.0.1", 9090)
    assert settings.admin_token_file is None
    assert settings.data_dir == Path("flux-router-data")
    assert (settings.git_concurrency, settings.git_deadline_seconds) == (16, 120)
    assert settings.clone_limit_mib == 2048
    assert (settings.log_format, settings.log_level) == ("auto", "info")
    assert settings.retention_days == 30
    assert (settings.dispatch_concurrency, settings.cluster_concurrency) == (64, 32)
    assert settings.call_deadline_seconds == 15
    assert settings.stop_deadline_seconds == 15
    assert settings.reload_interval_seconds == 2
    assert settings.receiver_proxy is False


def test_every_variable_is_read() -> None:
    environ = {
        "ROUTER_CONFIG": "/etc/router.yaml",
        "ROUTER_DATABASE_URL": "sqlite:////data/x%20y.db",
        "ROUTER_DATA_DIR": "/data/clones",
        "ROUTER_PUBLIC_BIND": ":80",
        "ROUTER_TRUSTED_PROXIES": "10.0.0.0/8, fd00::/8,192.0.2.7",
        "ROUTER_ADMIN_BIND": "[::]:0",
        "ROUTER_ADMIN_TOKEN_FILE": "/run/token",
        "ROUTER_ADMIN_URL": "https://router.example.com/admin/",
        "ROUTER_LOG_FORMAT": "JSON",
        "ROUTER_LOG_LEVEL": "Debug",
        "ROUTER_RETENTION_DAYS": "1",
        "ROUTER_DISPATCH_CONCURRENCY": "2",
        "ROUTER_CLUSTER_CONCURRENCY": "3",
        "ROUTER_CALL_DEADLINE": "0.5",
        "ROUTER_GIT_CONCURRENCY": "4",
        "ROUTER_GIT_DEADLINE": "600",
        "ROUTER_CLONE_LIMIT_MIB": "100",
        "ROUTER_STOP_DEADLINE": "0",
        "ROUTER_RELOAD_INTERVAL": "1e1",
        "ROUTER_RECEIVER_PROXY": "true",
    }
    assert set(environ) == {variable(field) for field in Settings.model_fields}
    settings = load_settings(environ)
    defaults = load_settings({})
    for field in Settings.model_fields:
        assert getattr(settings, field) != getattr(defaults, field)
    assert settings.database_url.path == "/data/x y.db"
    assert settings.public_bind == Bind("0.0.0.0", 80)
    assert settings.admin_bind == Bind("::", 0)
    assert list(map(str, settings.trusted_proxies or ())) == [
        "10.0.0.0/8", "fd00::/8", "192.0.2.7/32",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["proxy", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/8,", ",", "*"])
def test_trusted_proxies_that_are_no_networks_are_refused(text: str) -> None:
    (problem,) = problems(ROUTER_TRUSTED_PROXIES=text)
    assert problem.startswith("ROUTER_TRUSTED_PROXIES: must be addresses or networks")


def test_the_environment_of_the_process_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTER_RETENTION_DAYS", "7")
    assert load_settings({}).retention_days == 30


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load_settings(dict.fromkeys(map(variable, Settings.model_fields), "")) == load_settings(
        {}
    )


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("ROUTER_PUBLIC_BIND", "8080", "must be host:port, [IPv6 address]:port or :port"),
        ("ROUTER_PUBLIC_BIND", "x:65536", "must be host:port, [IPv6 address]:port or :port"),
        ("ROUTER_PUBLIC_BIND", "::1:80", "must be host:port, [IPv6 address]:port or :port"),
        ("ROUTER_PUBLIC_BIND", "[x]:80", "must have an IPv6 address between the brackets"),
        ("ROUTER_LOG_FORMAT", "xml", "must be console, json or auto"),
        ("ROUTER_LOG_LEVEL", "all", "must be debug, info, warning, error or critical"),
        ("ROUTER_RETENTION_DAYS", "0", "must be at least 1"),
        ("ROUTER_RETENTION_DAYS", "1.5", "must be a whole number"),
        ("ROUTER_RETENTION_DAYS", "3651", "must be at most 3650"),
        ("ROUTER_DISPATCH_CONCURRENCY", "many", "must be a whole number"),
        ("ROUTER_CLUSTER_CONCURRENCY", "-1", "must be at least 1"),
        ("ROUTER_CALL_DEADLINE", "0", "must be more than 0"),
        ("ROUTER_CALL_DEADLINE", "nan", "must be a number"),
        ("ROUTER_CALL_DEADLINE", "15s", "must be a number"),
        ("ROUTER_GIT_CONCURRENCY", "0", "must be at least 1"),
        ("ROUTER_GIT_CONCURRENCY", "1001", "must be at most 1000"),
        ("ROUTER_GIT_DEADLINE", "0", "must be more than 0"),
        ("ROUTER_GIT_DEADLINE", "3601", "must be at most 3600"),
        ("ROUTER_CLONE_LIMIT_MIB", "2 GiB", "must be a whole number"),
        ("ROUTER_CLONE_LIMIT_MIB", "0", "must be at least 1"),
        ("ROUTER_STOP_DEADLINE", "inf", "must be a number"),
        ("ROUTER_RELOAD_INTERVAL", "0.05", "must be at least 0.1"),
        ("ROUTER_RECEIVER_PROXY", "maybe", "must be true or false"),
    ],
)
def test_a_wrong_value_is_told_without_repeating_it(name: str, value: str, reason: str) -> None:
    assert problems(**{name: value}) == [f"{name}: {reason}"]


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+asyncpg://me:{CANARY}@db/x",
        f"mysql://me:{CANARY}@db/x",
        "mysql://x",
        "flux-router.db",
        "/data/flux-router.db",
    ],
)
def test_a_database_of_another_kind_is_refused(url: str) -> None:
    [problem] = problems(ROUTER_DATABASE_URL=url)
    assert problem == "ROUTER_DATABASE_URL: must start with sqlite:// or postgresql://"
    assert CANARY not in problem


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite://host/x",
        "sqlite:///:memory:",
        "sqlite:///x?y",
        "sqlite:///x/",
    ],
)
def test_the_database_must_be_a_file(url: str) -> None:
    [problem] = problems(ROUTER_DATABASE_URL=url)
    assert "must be sqlite:///relative/file.db or sqlite:////absolute/file.db" in problem


@pytest.mark.parametrize("url", BAD_POSTGRES_URLS)
def test_a_server_that_is_named_in_a_doubtful_way_is_refused(url: str) -> None:
    [problem] = problems(ROUTER_DATABASE_URL=url)
    assert problem.startswith("ROUTER_DATABASE_URL: ")
    assert CANARY not in problem


def test_no_password_of_a_database_is_shown() -> None:
    settings = load_settings({"ROUTER_DATABASE_URL": f"postgresql://me:{CANARY}@db:5433/x?a=b"})
    assert str(settings.database_url) == "postgresql://me@db:5433/x"
    assert CANARY in settings.database_url.text
    assert CANARY not in repr(settings)
    assert CANARY not in str(settings)


def test_all_errors_are_told_at_once() -> None:
    told = problems(
        ROUTER_CONFG="x", ROUTER_ZZZ="x", ROUTER_LOG_LEVEL="x", ROUTER_ADMIN_BIND="nowhere"
    )
    assert told == [
        "ROUTER_CONFG: there is no such setting; did you mean `ROUTER_CONFIG`?",
        "ROUTER_ZZZ: there is no such setting",
        "ROUTER_ADMIN_BIND: must be host:port, [IPv6 address]:port or :port",
        "ROUTER_LOG_LEVEL: must be debug, info, warning, error or critical",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ROUTER_SERVICE_HOST", "10.0.0.1"),
        ("ROUTER_SERVICE_PORT", "80"),
        ("ROUTER_SERVICE_PORT_HTTP", "80"),
        ("ROUTER_PORT", "tcp://10.0.0.1:80"),
        ("ROUTER_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("ROUTER_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("ROUTER_ADMIN_SERVICE_HOST", "10.0.0.1"),
        ("ROUTER_ADMIN_SERVICE_PORT_METRICS", "9090"),
        ("ROUTER_ADMIN_PORT", "tcp://10.0.0.1:9090"),
        ("ROUTER_ADMIN_PORT_9090_TCP_PROTO", "tcp"),
    ],
)
def test_what_kubernetes_sets_for_a_service_is_ignored(name: str, value: str) -> None:
    assert load_settings({name: value}) == load_settings({})


def test_a_port_somebody_made_up_is_not_ignored() -> None:
    assert problems(ROUTER_PUBLIC_PORT="8080")[0].startswith("ROUTER_PUBLIC_PORT: there is no such")


@pytest.mark.parametrize("bind", ["0.0.0.0:9090", ":9090", "[::]:9090", "10.0.0.1:1", "router:1"])
def test_the_admin_side_is_not_opened_without_a_token(bind: str) -> None:
    [problem] = problems(ROUTER_ADMIN_BIND=bind)
    assert "ROUTER_ADMIN_TOKEN_FILE" in problem
    settings = load_settings({"ROUTER_ADMIN_BIND": bind, "ROUTER_ADMIN_TOKEN_FILE": "token"})
    assert settings.admin_bind == parse_bind(bind)


@pytest.mark.parametrize(
    "bind", ["127.0.0.1:0", "127.9.9.9:1", "[::1]:1", "localhost:1", "[::ffff:127.0.0.1]:1"]
)
def test_the_admin_side_needs_no_token_on_loopback(bind: str) -> None:
    assert load_settings({"ROUTER_ADMIN_BIND": bind}).admin_bind.is_loopback


@given(
    host=st.sampled_from(["127.0.0.1", "host.example", "::1", "fe80::1"]),
    port=st.integers(0, 65535),
)
def test_an_address_reads_back_as_it_is_written(host: str, port: int) -> None:
    assert parse_bind(str(Bind(host, port))) == Bind(host, port)


@given(text=st.text())
def test_any_text_is_an_address_or_an_error(text: str) -> None:
    try:
        assert 0 <= parse_bind(text).port <= 65535
    except ValueError as error:
        assert str(error).startswith("must ")


@pytest.mark.parametrize("content", [CANARY, f"{CANARY}\n", f"{CANARY}\r\n"])
def test_the_admin_token_loses_one_final_newline(tmp_path: Path, content: str) -> None:
    path = tmp_path / "token"
    path.write_bytes(content.encode())
    assert read_admin_token(Settings(admin_token_file=path)) == Secret(CANARY.encode())


def test_without_a_file_there_is_no_admin_token() -> None:
    assert read_admin_token(Settings()) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty or too large"),
        (b"\n", "is empty or too large"),
        (CANARY.encode() * 20_000, "is empty or too large"),
    ],
)
def test_an_unusable_admin_token_is_refused(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsInvalid) as caught:
        read_admin_token(Settings(admin_token_file=path))
    assert str(caught.value) == f"ROUTER_ADMIN_TOKEN_FILE: {path} {reason}"


def test_two_listeners_need_two_ports() -> None:
    told = problems(ROUTER_PUBLIC_BIND=":9090", ROUTER_ADMIN_BIND="127.0.0.1:9090")
    assert told == ["ROUTER_ADMIN_BIND: the port is ROUTER_PUBLIC_BIND's already"]


def test_values_that_do_not_go_together_are_told_beside_those_that_are_wrong() -> None:
    told = problems(ROUTER_LOG_LEVEL="loud", ROUTER_ADMIN_BIND="0.0.0.0:9091")
    assert [line.partition(":")[0] for line in told] == ["ROUTER_LOG_LEVEL", "ROUTER_ADMIN_BIND"]
