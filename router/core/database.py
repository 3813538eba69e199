"""Where the state is kept, as a value that shows no password."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

SQLITE = "sqlite:///"
POSTGRES_SCHEMES = frozenset({"postgresql", "postgres"})


@dataclass(frozen=True, slots=True, repr=False)
class DatabaseUrl:
    """A checked database URL; made by parse_database_url."""

    text: str
    """The whole of it, password and all."""

    @property
    def is_sqlite(self) -> bool:
        return self.text.startswith(SQLITE)

    @property
    def path(self) -> str:
        """SQLite: the path of the file."""
        return unquote(self.text.removeprefix(SQLITE))

    @property
    def parameters(self) -> dict[str, str]:
        """PostgreSQL: what stands behind the question mark; the last of each name counts."""
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.text).query).items()}

    @property
    def secrets(self) -> tuple[str, ...]:
        """PostgreSQL: what must be seen nowhere, as it is written and as it is meant."""
        if self.is_sqlite:
            return ()
        written = urlsplit(self.text).netloc.rpartition("@")[0].partition(":")[2]
        given = [self.parameters.get(name, "") for name in ("password", "sslpassword")]
        return tuple(filter(None, {written, unquote(written), *given}))

    def __str__(self) -> str:
        if self.is_sqlite:
            return self.path
        parts = urlsplit(self.text)
        account, at, hosts = parts.netloc.rpartition("@")
        return f"{parts.scheme}://{account.partition(':')[0]}{at}{hosts}{parts.path}"

    def __repr__(self) -> str:
        return f"DatabaseUrl({str(self)!r})"


def parse_database_url(text: str) -> DatabaseUrl:
    """Raises ValueError, with a sentence that holds nothing of *text*."""
    scheme, separator, _ = text.partition("://")
    if separator and scheme.partition("+")[0] == "sqlite":
        _check_sqlite(text)
    elif separator and scheme in POSTGRES_SCHEMES:
        _check_postgres(text)
    else:
        raise ValueError("must start with sqlite:// or postgresql://")
    return DatabaseUrl(text)


def _check_sqlite(text: str) -> None:
    path = text.removeprefix(SQLITE)
    if path == text or not path or ":memory:" in path or re.search(r"[?#\0]|/\Z", path):
        raise ValueError("must be sqlite:///relative/file.db or sqlite:////absolute/file.db")


def _check_postgres(text: str) -> None:
    """An unescaped special character of a password would end up in the host, and be shown."""
    try:
        parts = urlsplit(text)
        hosts = parts.netloc.rpartition("@")[2].split(",")
        is_plain = all(re.fullmatch(r"(\[[^]]*\]|[^:@\[\]]*)(:\d{1,5})?", host) for host in hosts)
        parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        is_plain = False
    if not is_plain or text.count("@") > 1 or parts.fragment or re.search(r"[#\s\0]", text):
        raise ValueError(
            "must be postgresql://user:password@host:port/database, optionally with ?name=value;"
            " write other characters of the password as %XX"
        )
    if "@" in parts.path + parts.query:
        raise ValueError("has an @ behind the host: write special characters as %XX")
    if not parts.path.strip("/") and not {"dbname", "database"} & set(parse_qs(parts.query)):
        raise ValueError("names no database: postgresql://user:password@host:port/database")
