"""The environment, `ROUTER_…`, checked whole."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from router.config.binds import Bind, parse_bind
from router.config.report import did_you_mean
from router.config.secret_files import MAX_SECRET_BYTES, read_limited
from router.core.database import DatabaseUrl, parse_database_url
from router.core.errors import SettingsInvalid
from router.core.model import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_settings import PydanticBaseSettingsSource

PREFIX: Final = "ROUTER_"
LogFormat: TypeAlias = Literal["console", "json", "auto"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error", "critical"]

# Kubernetes sets these in every container when a Service is named `router` or `router-…`.
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_SERVICE_VARIABLES = re.compile(
    r"ROUTER_(SERVICE_.*|PORT|PORT_.*"
    r"|\w+_SERVICE_HOST|\w+_SERVICE_PORT(_\w+)?|\w+_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)\Z"
)
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


def _database_url(value: object) -> object:
    return parse_database_url(value) if isinstance(value, str) else value


def _admin_url(text: object) -> str:
    url = str(text).rstrip("/")
    try:
        parts = urlsplit(url)
        is_plain = parts.scheme in {"http", "https"} and parts.port != 0
    except ValueError:
        is_plain = False
    if not is_plain or not parts.hostname or "@" in parts.netloc or re.search(r"[?#\s]", url):
        raise ValueError("must be http://host:port or https://host:port, without a password")
    return url


def _bind(value: object) -> object:
    return parse_bind(value) if isinstance(value, str) else value


def _networks(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return tuple(ip_network(text.strip()) for text in value.split(","))
    except ValueError:
        raise ValueError(
            "must be addresses or networks with commas in between, e.g. 10.0.0.0/8,fd00::/8"
            " (no bits beyond the length of the network)"
        ) from None


def _lower_case(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class Settings(BaseSettings):
    """Every setting of the service; made by load_settings, which reads nothing but its argument."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    config: Path = Path("./router.yaml")
    database_url: Annotated[DatabaseUrl, BeforeValidator(_database_url)] = DatabaseUrl(
        "sqlite:///./flux-router.db"
    )
    data_dir: Path = Path("./flux-router-data")
    """Where the clones of Git repositories are; what is in it can be made again."""
    public_bind: Annotated[Bind, BeforeValidator(_bind)] = Bind("0.0.0.0", 8080)  # noqa: S104 - the public side is for an Ingress
    trusted_proxies: Annotated[
        tuple[IPv4Network | IPv6Network, ...] | None, BeforeValidator(_networks)
    ] = None
    """Whose X-Forwarded-For is believed."""
    admin_bind: Annotated[Bind, BeforeValidator(_bind)] = Bind("127.0.0.1", 9090)
    admin_token_file: Path | None = None
    admin_url: Annotated[str, BeforeValidator(_admin_url)] = "http://127.0.0.1:9090"
    """Where the commands find the admin listener of a service; the service itself ignores it."""
    log_format: Annotated[LogFormat, BeforeValidator(_lower_case)] = "auto"
    log_level: Annotated[LogLevel, BeforeValidator(_lower_case)] = "info"
    retention_days: int = Field(default=30, ge=1, le=3650)
    dispatch_concurrency: int = Field(default=64, ge=1, le=10_000)
    cluster_concurrency: int = Field(default=32, ge=1, le=10_000)
    call_deadline_seconds: float = Field(default=15, gt=0, le=300, allow_inf_nan=False)
    """How long one call of a receiver may take."""
    git_concurrency: int = Field(default=16, ge=1, le=1000)
    """How many git processes may run at once."""
    git_deadline_seconds: float = Field(default=120, gt=0, le=3600, allow_inf_nan=False)
    """How long one git command may take."""
    clone_limit_mib: int = Field(default=2048, ge=1, le=1024 * 1024)
    """How much of the disk one clone may take, in MiB."""
    stop_deadline_seconds: float = Field(default=15, ge=0, le=3600, allow_inf_nan=False)
    """How long calls in flight get to end when the service stops."""
    reload_interval_seconds: float = Field(default=2, ge=0.1, le=3600, allow_inf_nan=False)
    """Between two looks at the routing file and its secrets."""
    receiver_proxy: bool = False
    """Whether calls to receivers honour the usual proxy variables."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what load_settings hands in: the process environment is its caller's business."""
        return (init_settings,)


def variable(field: str) -> str:
    """The environment variable of a field of Settings."""
    return f"{PREFIX}{field.removesuffix('_seconds').upper()}"


def load_settings(environ: Mapping[str, str]) -> Settings:
    """The settings in *environ*; a variable that is empty counts as not set.

    Raises SettingsInvalid with every error, one a line.
    """
    fields = {variable(field): field for field in Settings.model_fields}
    given = {name: value for name, value in environ.items() if value and name in fields}
    problems = [
        f"{name}: there is no such setting{_hint(name)}"
        for name, value in sorted(environ.items())
        if name.startswith(PREFIX) and name not in fields and not _is_service(name, value)
    ]
    values: dict[str, object] = {fields[name]: value for name, value in given.items()}
    settings = None
    try:
        settings = Settings(**values)  # type: ignore[arg-type]
    except ValidationError as error:
        problems += [_sentence(detail) for detail in error.errors(include_input=False)]
        wrong = {detail["loc"][0] for detail in error.errors(include_input=False)}
        rest = {field: value for field, value in values.items() if field not in wrong}
        problems += _combination_problems(Settings(**rest))  # type: ignore[arg-type]
    else:
        problems += _combination_problems(settings)
    if settings is None or problems:
        raise SettingsInvalid("\n".join(problems))
    return settings


def read_admin_token(settings: Settings) -> Secret | None:
    """The admin API's token, without one final newline; None when none is set.

    Raises SettingsInvalid when the file cannot be used.
    """
    path = settings.admin_token_file
    if path is None:
        return None
    name = variable("admin_token_file")
    try:
        content = read_limited(path, MAX_SECRET_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not the path of a file"
        raise SettingsInvalid(f"{name}: {path} cannot be read: {reason}") from None
    token = content.removesuffix(b"\n").removesuffix(b"\r")
    if not token or len(content) > MAX_SECRET_BYTES:
        raise SettingsInvalid(f"{name}: {path} is empty or too large")
    return Secret(token)


def _hint(name: str) -> str:
    """Compared without the prefix, which makes any two names alike."""
    known = [variable(field).removeprefix(PREFIX) for field in Settings.model_fields]
    return did_you_mean(name.removeprefix(PREFIX), known).replace("`", f"`{PREFIX}", 1)


def _is_service(name: str, value: str) -> bool:
    if _SERVICE_VARIABLES.match(name):
        return True
    return name.endswith("_PORT") and _SERVICE_ADDRESS.match(value) is not None


def _combination_problems(settings: Settings) -> list[str]:
    """What is wrong with values that are right each by itself."""
    problems = []
    admin, public = settings.admin_bind, settings.public_bind
    if not admin.is_loopback and settings.admin_token_file is None:
        problems.append(
            f"{variable('admin_bind')}: beyond this machine the admin API needs a token: "
            f"set {variable('admin_token_file')}"
        )
    if admin.port and admin.port == public.port:
        problems.append(
            f"{variable('admin_bind')}: the port is {variable('public_bind')}'s already"
        )
    return problems


_REASONS: Final = {
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "bool_parsing": "must be true or false",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be {expected}",
    "value_error": "{error}",
}


def _sentence(detail: Any) -> str:
    """One finding of the model as an operator would put it; never with the value."""
    reason = _REASONS.get(detail["type"], "is not valid").format(**detail.get("ctx", {}))
    return f"{variable(str(detail['loc'][0]))}: {reason.replace(chr(39), '')}"
