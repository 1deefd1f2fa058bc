"""The site's own certificate authority: a folder beside the site file. Its key is made once and never leaves it.

Certificates are ECDSA P-256, for one purpose each, renewed when a third of their life is left. No key is printed.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.errors import ConfigurationError
from gateway.wholefile import write_whole

CA_DAYS, DAYS = 3650, 730
_BEFORE = timedelta(days=1)  # a gateway's clock may be behind
_CA, _CA_KEY, _REVOKED, _CRL = "ca.pem", "ca.key", "revoked.json", "crl.pem"


def _usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=authority, crl_sign=authority, encipher_only=False, decipher_only=False,
    )  # fmt: skip


class Authority:
    """The authority in `folder` (mode 0700), made when it is not there. `now` is aware of its zone."""

    def __init__(self, folder: Path, site: str, now: datetime) -> None:
        """ConfigurationError where half of it is missing, or it is not what it was made for."""
        self.folder, self._now = folder, now.astimezone(UTC)
        there = (folder / _CA).is_file(), (folder / _CA_KEY).is_file()
        if any(there) and not all(there):
            lost = folder / (_CA_KEY if there[0] else _CA)
            raise ConfigurationError(f"{lost} is missing: bring it back from where you keep a copy of {folder}.")
        if not all(there):
            self._make(site)
        self._certificate = _load(folder / _CA)
        key = serialization.load_pem_private_key((folder / _CA_KEY).read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ConfigurationError(f"{folder / _CA_KEY} is no key of this tool.")
        self._key = key
        if not (folder / _CRL).is_file():
            self._write_revoked()

    @property
    def ca(self) -> bytes:
        """Its certificate, for everybody to check the others by."""
        return (self.folder / _CA).read_bytes()

    @property
    def revoked(self) -> bytes:
        """The list of revoked certificates (CRL), for the broker."""
        return (self.folder / _CRL).read_bytes()

    def client(self, name: str, renew: bool = False) -> tuple[bytes, bytes]:
        """(certificate, key) of a gateway or reader, whose name is the common name."""
        return self._pair(name, ExtendedKeyUsageOID.CLIENT_AUTH, (), renew)

    def server(self, name: str, hosts: Sequence[str], renew: bool = False) -> tuple[bytes, bytes]:
        """(certificate, key) of the broker that is reached by `hosts`."""
        return self._pair(name, ExtendedKeyUsageOID.SERVER_AUTH, tuple(hosts), renew)

    def revoke(self, name: str) -> bool:
        """Revoke the certificate of `name` and forget its key; False where it has none (any more)."""
        cert, key = self._files(name)
        if not cert.is_file():
            return False
        revoked = self._revoked() | {f"{_load(cert).serial_number:x}": self._now.isoformat()}
        write_whole(self.folder / _REVOKED, json.dumps(revoked, indent=1).encode(), 0o600)
        self._write_revoked()
        key.unlink(missing_ok=True)
        cert.unlink()
        return True

    def _make(self, site: str) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Gewu site {site}"[:64])])
        builder = self._builder(name, name, key.public_key(), CA_DAYS)
        certificate = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(authority=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        write_whole(self.folder / _CA_KEY, _pem(key), 0o600)
        write_whole(self.folder / _CA, certificate.public_bytes(serialization.Encoding.PEM))

    def _pair(
        self, name: str, purpose: x509.ObjectIdentifier, hosts: tuple[str, ...], renew: bool
    ) -> tuple[bytes, bytes]:
        cert, key = self._files(name)
        if renew or not (key.is_file() and cert.is_file() and self._lasts(_load(cert), hosts)):
            self._issue(name, purpose, hosts)
        return cert.read_bytes(), key.read_bytes()

    def _lasts(self, certificate: x509.Certificate, hosts: tuple[str, ...]) -> bool:
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        return end - self._now > (end - begin) / 3 and _hosts(certificate) == set(hosts)

    def _issue(self, name: str, purpose: x509.ObjectIdentifier, hosts: tuple[str, ...]) -> None:
        cert, file = self._files(name)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            self._builder(subject, self._certificate.subject, key.public_key(), DAYS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if hosts:
            names = x509.SubjectAlternativeName([_general(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        # The key first: a cut between the two leaves a certificate that is not its own, which is issued anew.
        cert.unlink(missing_ok=True)
        write_whole(file, _pem(key), 0o600)
        write_whole(cert, certificate.public_bytes(serialization.Encoding.PEM))

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
    ) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
        end = self._now + timedelta(days=days)
        number = x509.random_serial_number()
        return builder.serial_number(number).not_valid_before(self._now - _BEFORE).not_valid_after(end)

    def _revoked(self) -> dict[str, str]:
        file = self.folder / _REVOKED
        return dict(json.loads(file.read_bytes())) if file.is_file() else {}

    def _write_revoked(self) -> None:
        # It ends with the authority: a broker refuses everybody once its list is out of date.
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._certificate.subject)
        builder = builder.last_update(self._now - _BEFORE).next_update(self._certificate.not_valid_after_utc)
        for number, at in sorted(self._revoked().items()):
            entry = x509.RevokedCertificateBuilder().serial_number(int(number, 16))
            builder = builder.add_revoked_certificate(entry.revocation_date(datetime.fromisoformat(at)).build())
        made = builder.sign(self._key, hashes.SHA256())
        write_whole(self.folder / _CRL, made.public_bytes(serialization.Encoding.PEM))

    def _files(self, name: str) -> tuple[Path, Path]:
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _load(file: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except ValueError:
        raise ConfigurationError(f"{file} is no certificate in PEM: bring it back, or remove it.") from None


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _hosts(certificate: x509.Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(name.value) for name in names}
