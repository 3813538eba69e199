"""Git processes: so many at once, each under a deadline, and none of their children left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.core.errors import GitUnavailable

if TYPE_CHECKING:
    from asyncio import StreamReader, Task
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from subprocess import Popen
    from typing import IO

MAX_OUTPUT_BYTES = 128 * 1024 * 1024
"""Of one process: the names of a million files or more, or of as many refs."""

MAX_COMPLAINT_BYTES = 16 * 1024
"""Of standard error; its end is kept, where git says what it died of."""

GRACE_SECONDS = 2.0
"""Between SIGTERM, at which git removes its temporary files, and SIGKILL."""

WATCH_SECONDS = 0.5
"""Between two looks of a command's watch; quick commands are never looked at."""

_CHUNK_BYTES = 256 * 1024


class CutShort(GitUnavailable):
    """A process was ended before it was done, and may have left things half written."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a process left that was not ended by us."""

    status: int
    output: bytes
    complaint: str
    """The end of standard error; names the signal that ended the process, if one did."""


class Processes:
    """Starts processes and sees to their end."""

    def __init__(
        self,
        *,
        concurrency: int,
        deadline_seconds: float,
        grace_seconds: float = GRACE_SECONDS,
        max_output_bytes: int = MAX_OUTPUT_BYTES,
    ) -> None:
        """At most *concurrency* processes at once, and half of that for any one host.

        So a host that hangs leaves room for the others. The deadline is each process's own.
        """
        self._deadline_seconds = deadline_seconds
        self._grace_seconds = grace_seconds
        self._max_output_bytes = max_output_bytes
        self._slots = asyncio.Semaphore(concurrency)
        self._host_slots = defaultdict[str, asyncio.Semaphore](
            lambda: asyncio.Semaphore(max(1, concurrency // 2))
        )
        self._running: set[int] = set()
        self._is_closed = False

    async def run(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        host: str | None = None,
        stdin: bytes = b"",
        watch: Callable[[], None] | None = None,
    ) -> Finished:
        """Run *command* when there is a slot for it; *host* is the one it talks to, if any.

        *watch* is called in a thread from time to time and may raise CutShort. Raises CutShort for
        that, for a deadline, too much output or `close`, and GitUnavailable when the command cannot
        be started.
        """
        lent = contextlib.nullcontext((command, environment))
        return await self.run_lent(lent, host=host, stdin=stdin, watch=watch)

    async def run_lent(
        self,
        lent: AbstractContextManager[tuple[Sequence[str], Mapping[str, str]]],
        *,
        host: str | None = None,
        stdin: bytes = b"",
        watch: Callable[[], None] | None = None,
    ) -> Finished:
        """As `run`; what *lent* gives is opened once there is a slot, and only while it runs."""
        async with self._slot(host):
            self._refuse_if_closed()
            with lent as (command, environment):
                process = _start(command, environment, stdin)
                self._running.add(process.pid)
                work = asyncio.ensure_future(_communicate(process, self._max_output_bytes))
                try:
                    finished = await self._follow(work, watch)
                finally:
                    await _end(process.pid, work, self._grace_seconds)
                    self._running.discard(process.pid)
        self._refuse_if_closed()
        return finished

    async def close(self) -> None:
        """End every process; later ones are refused."""
        self._is_closed = True
        for pid in self._running:
            _signal(pid, signal.SIGKILL)

    @contextlib.asynccontextmanager
    async def _slot(self, host: str | None) -> AsyncIterator[None]:
        """Wait first for the host's slot, so that waiting for a busy host keeps no other out."""
        async with contextlib.AsyncExitStack() as slots:
            if host is not None:
                await slots.enter_async_context(self._host_slots[host])
            await slots.enter_async_context(self._slots)
            yield

    async def _follow(self, work: Task[Finished], watch: Callable[[], None] | None) -> Finished:
        try:
            async with asyncio.timeout(self._deadline_seconds):
                while not work.done():
                    await asyncio.wait([work], timeout=WATCH_SECONDS if watch else None)
                    if watch and not work.done():
                        await asyncio.to_thread(watch)
        except TimeoutError:
            raise CutShort(f"git took longer than {self._deadline_seconds:g} s") from None
        return work.result()

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise CutShort("the service is stopping")


def _start(command: Sequence[str], environment: Mapping[str, str], stdin: bytes) -> Popen[bytes]:
    """Start *command*; the event loop's own way of it copies this process's memory tables first.

    That takes uvloop 10 ms and more in a process of usual size, during which nothing else runs.
    """
    try:
        with _file(stdin) as file:
            return subprocess.Popen(  # noqa: S603 - no shell, and no word of it is anybody else's
                command,
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=environment,
                cwd="/",
                start_new_session=True,  # its children are of its group, and no terminal is theirs
            )
    except FileNotFoundError:
        raise GitUnavailable("the git command is not installed") from None
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise GitUnavailable(f"git cannot be started: {reason}") from None


@contextlib.contextmanager
def _file(content: bytes) -> Iterator[int]:
    """A file in memory that a process reads from."""
    descriptor = os.memfd_create("stdin", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


async def _communicate(process: Popen[bytes], max_output_bytes: int) -> Finished:
    """All of the process's output, once it and every child that holds its pipes has ended."""
    async with _stream(process.stdout) as stdout, _stream(process.stderr) as stderr:
        output, complaint = await asyncio.gather(
            _read_all(stdout, process.pid, max_output_bytes), _read_end(stderr)
        )
    status = await asyncio.to_thread(process.wait)
    if len(output) > max_output_bytes:
        raise CutShort("git's answer is too large")
    if status < 0:
        complaint += b"\nerror: git died of signal %d" % -status
    return Finished(status, output, complaint.decode("utf-8", "replace"))


@contextlib.asynccontextmanager
async def _stream(pipe: IO[bytes] | None) -> AsyncIterator[StreamReader]:
    reader = asyncio.StreamReader(limit=_CHUNK_BYTES)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    try:
        yield reader
    finally:
        transport.close()


async def _read_all(stream: StreamReader, group: int, max_output_bytes: int) -> bytes:
    """Everything up to the limit; what says more than that is killed, and then read to its end."""
    content = bytearray()
    while chunk := await stream.read(_CHUNK_BYTES):
        if len(content) <= max_output_bytes:
            content += chunk
        else:
            _signal(group, signal.SIGKILL)
    return bytes(content)


async def _read_end(stream: StreamReader) -> bytes:
    end = b""
    while chunk := await stream.read(_CHUNK_BYTES):
        end = (end + chunk)[-MAX_COMPLAINT_BYTES:]
    return end


async def _end(pid: int, work: Task[Finished], grace_seconds: float) -> None:
    """See to it that the whole process group is gone."""
    if work.done() and not work.cancelled() and work.exception() is None:
        return
    _signal(pid, signal.SIGTERM)
    try:
        if not work.done():
            await asyncio.wait([work], timeout=grace_seconds)
    finally:
        _signal(pid, signal.SIGKILL)
        if not work.done():
            await asyncio.wait([work], timeout=grace_seconds)
            work.cancel()


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
