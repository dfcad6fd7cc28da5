"""The contracts' errors and states in words: what was wrong, and what to do next."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

WINDOW_STATUS = ("unfunded", "funded", "closed", "refunded", "terminated", "moved")
AGREEMENT_STATUS = ("none", "open", "ended")
DISPUTE_STATUS = ("none", "open", "ruled", "lapsed")


class Words(NamedTuple):
    """A sentence in which values stand by their names, and a hint."""

    said: str
    hint: str | None = None


_AGREE_AGAIN = "agree on other terms; both parties sign them"
_LOOK = "makegood sla status DOCUMENT"
_ANOTHER_SPAN = "choose another span; all parties sign it"
# Names of values that are times [s, UNIX time], or members of an enumeration.
_TIMES = frozenset(
    {
        "began", "begin", "expiry", "lastBegins", "maturesAt", "openBy", "rulingBy", "start", "validUntil",
    }
)  # fmt: skip
_MEMBERS: Final = {
    "SLAEscrow_IdUsed": AGREEMENT_STATUS,
    "SLAEscrow_WindowNot": WINDOW_STATUS,
    "DisputeCourt_DisputedBefore": DISPUTE_STATUS,
    "DisputeCourt_NoOpenDispute": DISPUTE_STATUS,
}

WORDS: Final[Mapping[str, Words]] = {
    "SLAEscrow_NotParty": Words("{caller} is not the party that may do this", "use its key"),
    "SLAEscrow_IdUsed": Words("these terms were used before (they are {status})", _LOOK),
    "SLAEscrow_TooLateToOpen": Words("the terms had to be opened by {openBy}", _AGREE_AGAIN),
    "SLAEscrow_AlreadyJudged": Words(
        "something of the first window is judged already at level {level}", _AGREE_AGAIN
    ),
    "SLAEscrow_NotOpen": Words("the agreement is not open", _LOOK),
    "SLAEscrow_NoWindows": Words("the agreement has {windows} windows", _LOOK),
    "SLAEscrow_WindowBegan": Words("window {window} has begun, at {began}", _LOOK),
    "SLAEscrow_WindowNot": Words("window {window} is {actual}, not {expected}", _LOOK),
    "SLAEscrow_NotJudged": Words(
        "window {window} is not judged completely; from {expiry} on it can be closed all the same"
    ),
    "SLAEscrow_OracleFailed": Words(
        "the oracle gives no sound answer for level {level}; from {expiry} on that counts as unknown"
    ),
    "SLAEscrow_Previous": Words(
        "the terms amend {actual}, not {expected}", "check `amends` in the new document"
    ),
    "SLAEscrow_NotAmendable": Words(
        "parties, token and oracle must stay, so must having a bond, and the fee of every window that is paid for",
        _AGREE_AGAIN,
    ),
    "SLAEscrow_NoBoundary": Words("no window begins or ends at {start}", _AGREE_AGAIN),
    "SLAEscrow_TerminationExpired": Words(
        "what both signed was valid until {validUntil}", "sign a new ending"
    ),
    "SLAEscrow_OtherAgreement": Words("both signed the ending of another agreement, {agreement}"),
    "SLAEscrow_NothingToEnd": Words("nothing is left to end from window {window} on", _LOOK),
    "SLAEscrow_SplitExceedsHeld": Words(
        "less is held than the provider is to get", "sign an ending with a smaller amount"
    ),
    "SLAEscrow_Breaches": Words("{given} breached windows were shown, {needed} are needed"),
    "SLAEscrow_NotBreached": Words("no credit was paid for window {window}", _LOOK),
    "SLAEscrow_NoNoticeAgreed": Words("the terms know no ending by notice"),
    "SLAEscrow_NoBond": Words("there is no bond"),
    "SLAEscrow_BondMissing": Words(
        "the bond is not there in full, so no window can be paid for", "makegood sla bond DOCUMENT"
    ),
    "SLAEscrow_NotNewest": Words(
        "these terms were amended: the bond belongs to the newest ones", "name the newest document"
    ),
    "SLAEscrow_BondInUse": Words(
        "the bond still stands for {openWindows} windows, and at least until {lastBegins}", _LOOK
    ),
    "DisputeCourt_NotParty": Words(
        "{caller} is not the party that may dispute this payment",
        "the other party's payment can be disputed: choose --side",
    ),
    "DisputeCourt_NotArbiter": Words("{caller} is not the arbiter", "use the arbiter's key"),
    "DisputeCourt_NothingMatured": Words("nothing has waited long enough"),
    "DisputeCourt_DisputedBefore": Words(
        "the payment was disputed before ({status}); each can be once"
    ),
    "DisputeCourt_NothingDisputable": Words(
        "nothing that still waits depends on an unknown interval", _LOOK
    ),
    "DisputeCourt_NoOpenDispute": Words("no dispute is open here: {status}", _LOOK),
    "DisputeCourt_AwardExceedsDisputed": Words("the award is more than what is disputed"),
    "DisputeCourt_RulingTooLate": Words(
        "the arbiter could rule until {rulingBy}", "anyone may end it: makegood sla lapse"
    ),
    "DisputeCourt_RulingStillPossible": Words("the arbiter may rule until {rulingBy}"),
    "MonitoringOracle_Parties": Words("the feed has other parties, or none who may exclude spans"),
    "MonitoringOracle_Span": Words("the span does not lie within one window", _ANOTHER_SPAN),
    "MonitoringOracle_NoticeTooShort": Words(
        "the span begins at {begin}, which is less than the agreed {notice} s ahead", _ANOTHER_SPAN
    ),
    "MonitoringOracle_Overlap": Words(
        "it overlaps a span that is excluded already", _ANOTHER_SPAN
    ),
    "MonitoringOracle_Allowance": Words(
        "{excluded} intervals of the window would be excluded, {allowance} are allowed, in at most 8 spans",
        _ANOTHER_SPAN,
    ),
    "PartySignatures_Invalid": Words(
        "the signature is not one of {party} under this", "that party signs again"
    ),
    "PartySignatures_Revoked": Words("{party} has withdrawn its signature under this"),
}  # fmt: skip


def described(error: str, values: Mapping[str, object]) -> Words | None:
    """An error in words, with its values; None if there are no words for it here."""
    words = WORDS.get(error)
    if words is None:
        return None
    shown = {name: _shown(error, name, value) for name, value in values.items()}
    return Words(words.said.format(**shown), words.hint)


def _shown(error: str, name: str, value: object) -> str:
    if not isinstance(value, int):
        return str(value)
    if name in _TIMES and value < 1 << 36:  # datetime knows no year that is much later
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    members = _MEMBERS.get(error, ()) if name in ("status", "expected", "actual") else ()
    return members[value] if value < len(members) else str(value)
