"""A server's TLS: a proxy that speaks it to the client and plain PostgreSQL to the server.

The wheel's server is built without TLS; what is tested here is the client. The first eight bytes of
a connection may ask for TLS: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SSL_REQUEST = bytes([0, 0, 0, 8, 4, 210, 22, 47])
TODAY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Identity:
    """A certificate and its key, in files."""

    certificate: Path
    key: Path


class Authority:
    """A CA in a folder, and the identities it gives away."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test CA")])
        own = self._builder(self._name, self._key.public_key())
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        self.certificate = folder / "ca.crt"
        self._write(self.certificate, own.add_extension(constraints, critical=True))

    def identify(self, name: str, *, address: str = "127.0.0.1") -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = self._builder(subject, key.public_key()).add_extension(names, critical=False)
        identity = Identity(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        self._write(identity.certificate, builder)
        identity.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return identity

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(TODAY - timedelta(days=365))
            .not_valid_after(TODAY + timedelta(days=36500))
        )

    def _write(self, path: Path, builder: x509.CertificateBuilder) -> None:
        certificate = builder.sign(self._key, hashes.SHA256())
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


@dataclass
class TlsFront:
    """A proxy before a server of this machine, and whom it has seen."""

    server_port: int
    context: ssl.SSLContext
    port: int = 0
    clients: list[str | None] = field(default_factory=list)
    """Of each connection with TLS the name in the client's certificate, if it showed one."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection; whoever does not ask for TLS is left standing."""
        with suppress(OSError, asyncio.IncompleteReadError):
            if await reader.readexactly(len(SSL_REQUEST)) == SSL_REQUEST:
                writer.write(b"S")
                await writer.start_tls(self.context)
                self.clients.append(_name(writer.get_extra_info("peercert")))
                theirs = await asyncio.open_connection("127.0.0.1", self.server_port)
                await asyncio.gather(pump(reader, theirs[1]), pump(theirs[0], writer))
        writer.close()


def _name(certificate: dict[str, Any] | None) -> str | None:
    return certificate["subject"][0][0][1] if certificate else None


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def tls_front(
    server_port: int, identity: Identity, *, client_ca: Path | None = None
) -> AsyncIterator[TlsFront]:
    """*client_ca* makes the proxy ask for certificates."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(identity.certificate, identity.key)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    front = TlsFront(server_port, context)
    listener = await asyncio.start_server(front.serve, "127.0.0.1", 0)
    front.port = listener.sockets[0].getsockname()[1]
    yield front
    listener.close()
    await listener.wait_closed()
