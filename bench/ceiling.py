"""What the service is measured against: a handler that only reads the body.

The server is the same, and so is how the interpreter is set up.

python -m bench.ceiling 8000
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import uvloop
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from router.remote.system import keep_what_started, share_interpreter
from router.web.server import create_server, open_listener

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def read(request: Request) -> Response:
    await request.body()
    return JSONResponse({"status": "ok"}, status_code=202)


async def run(port: int) -> None:
    app = Starlette(routes=[Route("/hooks/{hook}", read, methods=["POST"])])
    keep_what_started()
    share_interpreter()
    await create_server(app).serve(sockets=[open_listener("127.0.0.1", port)])


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(int(sys.argv[1])))
