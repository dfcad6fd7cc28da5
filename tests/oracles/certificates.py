"""Certificates made on the fly, good ones and bad ones."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = 86_400


class Authority:
    """A certification authority that keeps its files in `folder`; times are UNIX seconds."""

    def __init__(self, folder):
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Test authority")
        self._issued = 0
        root = _certificate(self._name, self._name, self._key, self._key, authority=True)
        self.file = folder / "authority.pem"
        self.file.write_bytes(root.public_bytes(serialization.Encoding.PEM))

    def issue(self, *names, begins=None, ends=None, self_signed=False):
        """A file with key and certificate for host names and IP addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        signer, issuer = (key, _name(names[0])) if self_signed else (self._key, self._name)
        issued = _certificate(_name(names[0]), issuer, key, signer, names, begins, ends)
        self._issued += 1
        file = self._folder / f"{self._issued}.pem"
        file.write_bytes(
            issued.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return file


def server_context(file):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject, issuer, key, signer, names=(), begins=None, ends=None, *, authority=False
):
    now = time.time()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime.fromtimestamp(begins or now - DAY, dt.UTC))
        .not_valid_after(dt.datetime.fromtimestamp(ends or now + 30 * DAY, dt.UTC))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if names:
        alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(signer, hashes.SHA256())


def _alternative(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
