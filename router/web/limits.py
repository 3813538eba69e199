"""Every limit of the listeners, in one place."""

from __future__ import annotations

MAX_BODY_BYTES = 25 * 1024 * 1024
"""The largest body of a hook, 25 MiB: GitHub and GitLab send none that is larger.
https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap"""

MAX_BODIES_IN_FLIGHT_BYTES = 256 * 1024 * 1024
"""Bytes of all bodies held at once in this process; over it the answer is 503."""

MAX_DOUBTED_BODIES_BYTES = 64 * 1024 * 1024
"""The part of them for bodies from addresses of which too many requests were refused."""

REFUSALS_AT_ONCE = 60.0
"""Requests of one address that may be refused with a 401 at once; over it the answer is 429."""

REFUSALS_PER_SECOND = 1.0
"""How fast an address may have further ones refused. A hook with a wrong secret stays below it."""

MAX_REFUSING_ADDRESSES = 10_000
"""Addresses whose refusals are remembered: about 2 MiB."""

MAX_HEADERS_BYTES = 64 * 1024
"""Request line and headers together; hosts send a few KiB. Over it the answer is 431."""

HEADERS_DEADLINE_SECONDS = 10.0
"""From a connection, or a request's first byte, to the end of its headers; then it is closed."""

DISCARD_SECONDS = 5.0
"""How long the rest of a body that was answered already may go on arriving: long enough for the
sender to read the answer, which closing at once could destroy."""

BODY_DEADLINE_SECONDS = 30.0
"""How long a body may take to arrive: three times what GitHub and GitLab wait for an answer."""

MAX_API_BODY_BYTES = 1024 * 1024
"""The largest body of a request to the admin API."""

RETRY_AFTER_SECONDS = 5
"""What a 503 asks its sender to wait."""

MAX_PAGE = 200
"""Deliveries on one page of the admin API."""

MAX_ANSWER_UPDATES = 100
"""Updates that the answer to a delivery lists. It is for people at the Git host; the admin API has
all of them."""

MAX_ANSWER_LAYERS = 1000
"""Layers that it lists, those of all updates together: about 130 KiB."""
