"""A real https server on this computer, with a certificate authority of its own, for names of the test."""

from __future__ import annotations

import asyncio
import datetime
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

YEAR = datetime.timedelta(days=365)

Writer = asyncio.StreamWriter
Answer = Callable[[str, Writer], Awaitable[None]]


class Authority:
    """Makes certificates; only programs that are given `client_tls` believe them."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of this test")])
        self.certificate = (
            self._begin("Authority of this test", self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .add_extension(_usage(certificates=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def client_tls(self) -> ssl.SSLContext:
        """Checks certificates as strictly as ever, but against this authority."""
        pem = self.certificate.public_bytes(Encoding.PEM).decode()
        return ssl.create_default_context(cadata=pem)

    def server_tls(self, *names: str) -> ssl.SSLContext:
        """A server's side, with a certificate for `names`."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            self._begin(names[0], key.public_key())
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(issuer, critical=False)
            .add_extension(_usage(certificates=False), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "server.pem"
            path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
            context.load_cert_chain(path)
        return context

    def _begin(self, name: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - YEAR)
            .not_valid_after(now + YEAR)
        )


@dataclass
class Server:
    """Listens on 127.0.0.1; `connections` are counted before any handshake, `heads` are what was asked."""

    port: int
    answer: Answer
    connections: int = 0
    heads: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


@asynccontextmanager
async def serve(authority: Authority, *names: str, answer: Answer) -> AsyncIterator[Server]:
    """A running server for `names`; `answer` writes the whole answer, head included."""
    server = Server(0, answer)
    open_ones: set[Writer] = set()
    tls = authority.server_tls(*names)

    def saw_name(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        server.connections += 1
        server.names.append(name or "")

    tls.set_servername_callback(saw_name)

    async def handle(reader: asyncio.StreamReader, writer: Writer) -> None:
        open_ones.add(writer)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            server.heads.append(head)
            await server.answer(head, writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            open_ones.discard(writer)
            writer.close()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        # Whoever hung up on a long answer leaves it half written.
        for writer in open_ones:
            writer.transport.abort()


def page(body: bytes, *, status: str = "200 OK", **headers: str) -> Answer:
    """Answers everything with `body`; a header with an empty value is left out."""
    given = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in given.items() if value)]

    async def answer(_head: str, writer: Writer) -> None:
        writer.write("\r\n".join((*lines, "", "")).encode() + body)

    return answer


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
