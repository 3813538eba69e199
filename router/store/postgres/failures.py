"""Why PostgreSQL cannot be used, in our own words: an exception's may hold values or a password."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import asyncpg

from router.core.errors import OperatorError, StoreUnavailable

if TYPE_CHECKING:
    from router.core.database import DatabaseUrl

LOST = (
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a session that was ended while nobody looked
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    ConnectionError,
)
"""What a statement on a connection that is gone ends in."""

TROUBLES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""Whatever a statement or an attempt to connect may end in; a TimeoutError is an OSError, too."""

REPEATABLE = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.OutdatedSchemaCacheError,
)
"""The transaction is undone, and may well succeed when it is run again."""

UNFIT = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
)
"""Something that was to be written cannot be, whoever asks and however often."""

ABANDONED = (
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
)
"""The server is going or is no primary any more: no connection to it is worth keeping."""


class NotBegun(Exception):
    """The connection was lost before the transaction began: nothing can have been done."""


class Unfit(StoreUnavailable):
    """What was to be written cannot be; all else that was to be written with it could be."""


def unavailable(error: BaseException, url: DatabaseUrl) -> StoreUnavailable:
    """The error to raise for *error*, with its cause."""
    kind = Unfit if isinstance(error, UNFIT) else StoreUnavailable
    refused = kind(f"the database cannot be used now: {reason(error, url)}")
    # What cannot be written is quoted there, perhaps a whole row, and tracebacks are logged. None
    # also keeps what is handled just now out of them.
    refused.__cause__ = None if kind is Unfit else error
    return refused


def unusable(error: BaseException, url: DatabaseUrl) -> OperatorError:
    """The error to raise for *error* when the service starts."""
    return OperatorError(f"cannot use the database {url}: {reason(error, url)}")


def reason(error: BaseException, url: DatabaseUrl) -> str:
    """One line that says what happened, without values and without the password."""
    told = _told(error).partition("\n")[0]
    for secret in url.secrets:
        told = told.replace(secret, "***")
    return told


def _told(error: BaseException) -> str:
    if isinstance(error, asyncpg.DataError):
        return "a value cannot be stored"
    if isinstance(error, socket.gaierror):
        return "the name of its host is not known"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS fails: {error.reason or error}"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    if type(error) is asyncpg.InternalClientError:
        return "the connection was lost"
    return str(error) or type(error).__name__
