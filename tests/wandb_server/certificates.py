"""A certificate authority of the tests' own, and certificates for servers on this machine."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = dt.timedelta(days=1)


class Authority:
    """An authority whose own certificate is the file `bundle`; all it makes lies in *folder*."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder, self._title = folder, name
        folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        plain = x509.BasicConstraints(ca=True, path_length=0)
        own = self._signed(self._name, self._key.public_key(), (plain, True), days=2)
        self.bundle = folder / f"{name}.pem"
        self.bundle.write_bytes(own)

    def certificate(self, host: str, *, days: int = 1) -> Path:
        """Make a file with a certificate for *host* and its key; with *days* below 0 it is over."""
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            named: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            named = x509.DNSName(host)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        names = (x509.SubjectAlternativeName([named]), False)
        signed = self._signed(subject, key.public_key(), names, days=days)
        secret = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path = self._folder / f"{self._title}-{host}{days}.pem"
        path.write_bytes(signed + secret)
        return path

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        extension: tuple[x509.ExtensionType, bool],
        *,
        days: int,
    ) -> bytes:
        until = dt.datetime.now(dt.UTC) + days * _DAY
        made = x509.CertificateBuilder(subject_name=subject, issuer_name=self._name)
        made = made.public_key(key).serial_number(x509.random_serial_number())
        made = made.not_valid_before(until - 4 * _DAY).not_valid_after(until)
        made = made.add_extension(extension[0], critical=extension[1])
        own = x509.SubjectKeyIdentifier.from_public_key(key)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        made = made.add_extension(own, critical=False).add_extension(issuer, critical=False)
        signed = made.sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)
