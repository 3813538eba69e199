"""One wide line for each delivery and each attempt; keys are the glossary's words.

No secret, no body and no receiver's URL path is ever handed to a log call.
"""

from __future__ import annotations

import json
import logging
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, Literal, cast

import msgspec
import structlog

from router.core.plan import affected_layers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO, TextIO

    from router.core.model import Attempt, Claim, Problem, Saved

MAX_LISTED = 20
"""Layers, plans and deliveries named in one line; the counts are always there."""

_ENCODE = msgspec.json.Encoder().encode


def configure_logs(*, log_format: Literal["console", "json"], level: str) -> None:
    """Send this package's and the libraries' logs to standard error in one format.

    Ours go there directly: through `logging`, a line would cost several times as much, and a busy
    service writes two for each push.
    """
    is_json = log_format == "json"
    rendering: list[structlog.typing.Processor] = (
        [structlog.processors.JSONRenderer(serializer=encode_line)]
        if is_json
        else [drop_empty, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=(
            structlog.BytesLoggerFactory(cast("BinaryIO", _Lossy(sys.stderr.buffer)))
            if is_json
            else structlog.PrintLoggerFactory(cast("TextIO", _Lossy(sys.stderr)))
        ),
        cache_logger_on_first_use=True,
    )
    _configure_libraries(shared, rendering, level=level)


def _configure_libraries(
    shared: list[structlog.typing.Processor],
    rendering: list[structlog.typing.Processor],
    *,
    level: str,
) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *rendering,
                _as_text,
            ],
        )
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # it tells neither address nor version
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


class _Lossy:
    """A stream that loses what it cannot take, as `logging` does.

    A log that nobody reads any more, or a full disk under it, must not fail what is told there: a
    push that is saved already, or the calls of receivers.
    """

    def __init__(self, stream: IO[Any]) -> None:
        self._stream = stream

    def write(self, text: Any) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def encode_line(event: structlog.typing.EventDict, **options: Any) -> bytes:
    """JSON; what is not text in UTF-8, such as bytes of a file name, is escaped."""
    try:
        return _ENCODE(event)
    except (TypeError, UnicodeEncodeError):
        return json.dumps(event, **options).encode("ascii")


def _as_text(_logger: object, _method: str, line: Any) -> Any:
    return line.decode() if isinstance(line, bytes) else line


def drop_empty(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """For people: a key without a value only makes the line longer."""
    return {key: value for key, value in event.items() if value not in (None, [], "")}


class LogObserver:
    """Writes every outcome as one line."""

    def __init__(self) -> None:
        self._log = structlog.get_logger("flux_router")
        self._troubles: dict[str, str | None] = {}
        """What was told last of the repositories in git mode."""
        self._issuer_troubles: dict[str, str | None] = {}

    def delivery_saved(self, saved: Saved, *, duration_seconds: float) -> None:
        self._tell(saved, f"delivery.{saved.delivery.status}", duration_seconds)

    def delivery_planned(self, saved: Saved, *, repository: str, duration_seconds: float) -> None:
        self._tell(saved, "delivery.planned", duration_seconds)

    def update_closed(self, *, repository: str, delivery: str, status: str, reason: str) -> None:
        self._log.info(
            "delivery.closed",
            delivery=delivery,
            repository=repository,
            status=status,
            reason=reason,
        )

    def repository_read(
        self, *, repository: str, trouble: str | None, duration_seconds: float, clone_bytes: int
    ) -> None:
        if self._troubles.get(repository) == trouble:
            return  # told before, and sweeps go on
        self._troubles[repository] = trouble
        if trouble is None:
            self._log.info("repository.recovered", repository=repository)
        else:
            self._log.warning("repository.unreadable", repository=repository, reason=trouble)

    def repository_swept(self, *, repository: str, is_moved: bool) -> None:
        if is_moved:
            self._log.info("repository.moved", repository=repository)

    def repository_dropped(self, *, repository: str) -> None:
        self._troubles.pop(repository, None)

    def issuer_read(self, *, issuer: str, trouble: str | None) -> None:
        if self._issuer_troubles.get(issuer) == trouble:
            return  # told before, and it is asked on
        self._issuer_troubles[issuer] = trouble
        if trouble is None:
            self._log.info("issuer.recovered", issuer=issuer)
        else:
            self._log.warning("issuer.unreadable", issuer=issuer, reason=trouble)

    def _tell(self, saved: Saved, message: str, duration_seconds: float) -> None:
        delivery, told = saved.delivery, saved.plans[:MAX_LISTED]
        layers = [name for item in saved.plans for name in affected_layers(item.plan.matches)]
        self._log.info(
            message,
            delivery=delivery.id,
            hook=delivery.hook,
            origin=delivery.origin,
            duplicate=saved.is_duplicate,
            reason=delivery.reason or "; ".join(dict.fromkeys(item.plan.reason for item in told)),
            refs=[item.plan.ref for item in told],
            commits=[item.plan.commit for item in told],
            sequences=[item.sequence for item in told],
            knowledge=[item.plan.knowledge for item in told],
            plan_count=len(saved.plans),
            layers=layers[:MAX_LISTED],
            layer_count=len(layers),
            provider_delivery_id=delivery.provider_delivery_id,
            duration_ms=round(duration_seconds * 1000, 2),
        )

    def delivery_rejected(self, *, hook: str, status: int, code: str, client: str = "") -> None:
        # A 429 follows many a 401 from the same client: it must not fill the log as well.
        tell = self._log.debug if status == 429 else self._log.warning
        tell("delivery.rejected", hook=hook, status=status, error=code, client=client or None)

    def attempt_recorded(
        self, attempt: Attempt, *, claim: Claim, cluster: str, retry_seconds: float | None
    ) -> None:
        is_fine = attempt.outcome in {"notified", "cancelled"}
        (self._log.info if is_fine else self._log.warning)(
            "dispatch.attempted",
            receiver=attempt.receiver,
            cluster=cluster,
            outcome=attempt.outcome,
            status=attempt.status,
            detail=attempt.detail or None,
            wanted=attempt.wanted,
            failures=0 if is_fine else claim.failures + 1,
            layers=list(dict.fromkeys(asked.layer for asked in claim.asked))[:MAX_LISTED],
            deliveries=list(dict.fromkeys(asked.delivery for asked in claim.asked))[-MAX_LISTED:],
            commit=next((a.commit for a in reversed(claim.asked) if a.commit), None),
            duration_ms=round(attempt.duration_seconds * 1000, 2),
            retry_seconds=None if retry_seconds is None else round(retry_seconds, 2),
        )

    def routing_loaded(
        self, *, number: int, adopted: Sequence[str], warnings: Sequence[Problem]
    ) -> None:
        for warning in warnings:
            self._log.warning("routing.warned", problem=str(warning))
        self._log.info(
            "routing.loaded",
            generation=number,
            adopted=list(adopted)[:MAX_LISTED],
            adopted_count=len(adopted),
        )

    def routing_rejected(self, problems: Sequence[Problem]) -> None:
        for problem in problems:
            self._log.error("routing.rejected", problem=str(problem))

    def routing_followed(self, *, number: int, reason: str) -> None:
        self._log.warning("routing.followed", generation=number, reason=reason)

    def failed(self, *, task: str, error: BaseException) -> None:
        self._log.error("task.failed", task=task, error=type(error).__name__, exc_info=error)
