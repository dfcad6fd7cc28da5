"""The fields of a configuration: what each is, its default, and which values are allowed."""

from __future__ import annotations

import base64
import os
import re
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote, quote_plus

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)
from pydantic.alias_generators import to_camel

from relayer.config import values
from relayer.errors import ConfigurationError
from relayer.redaction import REFERENCE, database_secrets, redacted_database, secret_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from relayer.yaml_lines import Location

_Number = BeforeValidator(values.number)
_CLOUD_VARIABLES = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
)
_SHORT = 6
"""A text with fewer characters is no secret: hiding it would make the log unreadable."""


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
    )


class AwsKms(_Part):
    """A key that stays in AWS KMS: an asymmetric one for signing, of the kind ECC_SECG_P256K1.

    :param key_id: Its id, ARN or alias (``alias/...``).
    :param endpoint_url: Instead of AWS's public endpoint of the region, for instance a VPC endpoint.
    """

    key_id: str = Field(min_length=1)
    region: values.Region
    endpoint_url: values.ServiceUrl | None = None


class KeySettings(_Part):
    """Where a key lies: in a keystore, in a plain file or in AWS KMS, one of the three. None means: no key, a dry run."""

    keystore: Path | None = None
    file: Path | None = None
    password_file: Path | None = None
    aws_kms: AwsKms | None = None

    @model_validator(mode="after")
    def _one_of_three(self) -> KeySettings:
        if len([place for place in (self.keystore, self.file, self.aws_kms) if place]) > 1:
            raise ValueError("a key lies in a keystore, in a file or in awsKms: name one of them")
        return self

    @property
    def configured(self) -> bool:
        return any((self.keystore, self.file, self.aws_kms))


def _distinct(urls: list[SecretStr]) -> list[SecretStr]:
    if len(set(urls)) < len(urls):
        raise ValueError("an endpoint is named twice: agreement with itself proves nothing")
    return urls


def _keys(keys: list[SecretStr]) -> list[SecretStr]:
    if len(set(keys)) < len(keys):
        raise ValueError("a key is named twice")
    return keys


class Exchange(_Part):
    """How signed readings go to and come from the other reporters.

    :param listen: Host and port where others fetch what this relayer signed; None: they cannot.
    :param pull_seconds: Pause between two visits to a peer.
    :param peers: The address of each other reporter's relayer, by its account.
    """

    listen: values.Listen = None
    pull_seconds: Annotated[float, _Number] = Field(default=5, gt=0, le=3_600)
    peers: dict[values.Account, values.PeerUrl] = Field(default={}, repr=False)


class Operations(_Part):
    """What an operator is told, and where.

    :param listen: Host and port of health and metrics; None: they are not served.
    :param webhook: Where alerts are posted.
    :param runway_warning_days: An alert is fired if the key's balance lasts for fewer days than this, ...
    :param runway_critical_days: ... and a louder one at this.
    """

    listen: values.Listen = None
    webhook: values.Webhook | None = None
    runway_warning_days: Annotated[float, _Number] = Field(default=14, ge=0, le=3_650)
    runway_critical_days: Annotated[float, _Number] = Field(default=2, ge=0, le=3_650)


class Configuration(_Part):
    """All that a relayer's operator chooses.

    :param agreements: Files and patterns of SLA documents.
    :param sources: For each adapter what it needs to reach its monitoring service.
    :param batcher: The contract that puts many calls into one transaction.
    :param poll_seconds: Pause between two looks at the chain.
    :param confirmations: After so many blocks a transaction is not looked at again.
    :param max_fee_per_gas_gwei: No transaction pays more.
    :param max_gas_per_transaction: No transaction may use more; chains allow 2^24 (EIP-7825).
    :param stagger_seconds: How long each reporter waits for the one before it.
    :param retention_days: What is older and final is forgotten.
    :param evidence_key: What raw answers are encrypted with in the database: the first key seals, all of them open.
    :param workers: Services are read by ``makegood relayer worker`` processes.
    """

    rpc_url: (
        Annotated[list[values.RpcUrl], BeforeValidator(values.some), AfterValidator(_distinct)]
        | None
    ) = None
    agreement: Annotated[int, _Number] | None = Field(default=None, ge=1, alias="rpcAgreement")
    database: values.Database = Field(
        default_factory=lambda: (
            folder("XDG_STATE_HOME", ".local/state", os.environ) / "relayer.sqlite"
        )
    )
    key: KeySettings = KeySettings()
    agreements: list[str] = []
    sources: dict[str, dict[str, Any]] = {}
    batcher: values.Account | None = None
    poll_seconds: Annotated[float, _Number] = Field(default=15, gt=0, le=3_600)
    confirmations: Annotated[int, _Number] = Field(default=12, ge=0, le=1_000)
    max_fee_per_gas_gwei: Annotated[Decimal, _Number] = Field(
        default=Decimal(100), gt=0, le=1_000_000, decimal_places=9
    )
    max_gas_per_transaction: Annotated[int, _Number] = Field(
        default=12_000_000, ge=1_000_000, le=1 << 24
    )
    stagger_seconds: Annotated[float, _Number] = Field(default=15, ge=0, le=86_400)
    retention_days: Annotated[int, _Number] = Field(default=400, ge=30, le=36_500)
    evidence_key: (
        Annotated[list[values.EvidenceKey], BeforeValidator(values.some), AfterValidator(_keys)]
        | None
    ) = None
    exchange: Exchange = Exchange()
    operations: Operations = Operations()
    workers: bool = False
    log_format: Literal["auto", "json", "console"] = "auto"

    @property
    def max_fee_per_gas(self) -> int:
        """The same in wei."""
        return int(self.max_fee_per_gas_gwei * 10**9)

    @property
    def rpc_agreement(self) -> int:
        """How many endpoints must give the same answer where money depends on it."""
        return self.agreement or min(2, len(self.rpc_url or [None]))

    def rpc_urls(self) -> list[str]:
        """The RPC endpoints, best first. Raises ConfigurationError if there is none."""
        if self.rpc_url is None:
            raise ConfigurationError(
                "no RPC endpoint is configured",
                hint="set rpcUrl in makegood.yaml, MAKEGOOD_RPC_URL or --rpc-url",
            )
        return [url.get_secret_value() for url in self.rpc_url]

    def database_target(self) -> Path | str:
        """A file, or the URL of a PostgreSQL with its password."""
        where = self.database
        return where if isinstance(where, Path) else where.get_secret_value()

    def database_shown(self) -> str:
        """The same for messages, without anything secret."""
        where = self.database_target()
        return redacted_database(where) if isinstance(where, str) else str(where)

    def agreement_files(self) -> list[Path]:
        """The SLA documents that ``agreements`` names, each once, sorted."""
        files: set[Path] = set()
        for pattern in self.agreements:
            path = Path(pattern)
            if re.search(r"[*?\[]", pattern):
                anchor = Path(path.anchor) if path.anchor else Path()
                found = list(anchor.glob(str(path.relative_to(path.anchor))))
                if not found:
                    raise ConfigurationError(f"agreements names {path}, which matches no file")
                files.update(found)
            elif path.is_file():
                files.add(path)
            else:
                raise ConfigurationError(f"agreements names {path}, which is no file")
        return sorted(files)

    def evidence_keys(self) -> list[bytes]:
        """The keys of evidence at rest, the one that seals first; empty if it is not encrypted."""
        from relayer.evidence.cipher import read_key  # noqa: PLC0415 - most commands need no encryption

        return [read_key(key.get_secret_value()) for key in self.evidence_key or []]

    def source_secrets(self) -> list[str]:
        """What the options of adapters refer to, as far as it can be found here, and what the clouds' own chains take."""
        found: set[str] = set()
        _collect(self.sources, found)
        found.update(os.environ.get(name, "") for name in _CLOUD_VARIABLES)
        long = [secret for secret in sorted(found) if len(secret) >= _SHORT]
        return [form for secret in long for form in _forms(secret)]

    def secrets(self) -> list[str]:
        """What must not appear in any output."""
        urls = [url.get_secret_value() for url in self.rpc_url or []]
        urls += self.exchange.peers.values()
        if self.operations.webhook is not None:
            urls.append(self.operations.webhook.get_secret_value())
        where = self.database_target()
        return [
            *(part for url in urls for part in secret_parts(url)),
            *(database_secrets(where) if isinstance(where, str) else []),
            *(key.get_secret_value() for key in self.evidence_key or []),
            *self.source_secrets(),
        ]

    def contradictions(self) -> Iterator[tuple[Location, str]]:
        """Fields whose values do not go together: the field to change, and the rule.

        Not a validator: each layer alone need not be whole.
        """
        endpoints = len(self.rpc_url or [])
        if self.rpc_url and self.rpc_agreement > endpoints:
            yield (
                ("rpcAgreement",),
                f"{self.rpc_agreement} endpoints cannot agree where rpcUrl names {endpoints}",
            )
        if self.workers and isinstance(self.database, Path):
            yield (
                ("workers",),
                "workers share their work through PostgreSQL: set database to postgresql://user@host/name",
            )
        if _same_place(self.exchange.listen, self.operations.listen):
            yield (
                ("operations", "listen"),
                "exchange.listen is the same: give each a port of its own",
            )
        if self.operations.runway_critical_days > self.operations.runway_warning_days:
            yield (
                ("operations", "runwayCriticalDays"),
                "must not be more than runwayWarningDays, which warns first",
            )


def folder(variable: str, default: str, environ: Mapping[str, str]) -> Path:
    """The folder of ours below one that the XDG Base Directory Specification names."""
    base = environ.get(variable)
    return (Path(base) if base else Path.home() / default) / "makegood"


def _collect(options: object, found: set[str]) -> None:
    """The values of all references in an adapter's options. It resolves them itself, and says which lead nowhere."""
    if isinstance(options, dict):
        for value in options.values():
            _collect(value, found)
        user, password = options.get("username"), options.get("password")
        if isinstance(user, str) and isinstance(password, str):
            # As HTTP sends them.
            found.update(
                base64.b64encode(f"{user}:{secret}".encode()).decode()
                for secret in _referred(password)
            )
    elif isinstance(options, list | tuple):
        for value in options:
            _collect(value, found)
    elif isinstance(options, str):
        found.update(_referred(options))


def _referred(text: str) -> Iterator[str]:
    for match in REFERENCE.finditer(text):
        with suppress(OSError, ValueError, KeyError):
            path = match["file"]
            value = Path(path).read_text(encoding="utf-8") if path else os.environ[match["name"]]
            yield value.rstrip("\r\n")


def _forms(secret: str) -> list[str]:
    """As it is, and as others write it down: in addresses, in headers."""
    encoded = base64.b64encode(secret.encode())
    written = [secret, quote(secret), quote(secret, safe=""), quote_plus(secret)]
    return list(dict.fromkeys([*written, encoded.decode(), secret.encode().hex()]))


def _same_place(one: tuple[str, int] | None, other: tuple[str, int] | None) -> bool:
    if one is None or other is None or one[1] != other[1]:
        return False
    return one[0] == other[0] or not {"0.0.0.0", "::"}.isdisjoint({one[0], other[0]})  # noqa: S104 - compared, not bound
