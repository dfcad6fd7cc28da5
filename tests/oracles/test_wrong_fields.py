"""What is said of wrong fields: what is allowed, in words of our own, and never the value that was found."""

import re

import pytest

from oracles import BadRequest, load

PROBE = {"url": "http://127.0.0.1/"}
REPLAY = {"sha256": "0" * 64, "unit": "1"}


def complaint(service, spec, metric="availability"):
    with pytest.raises(BadRequest) as caught:
        load(service).query(spec, metric, first=0, length=3600)
    return str(caught.value)


@pytest.mark.parametrize(
    ("service", "spec", "said"),
    [
        ("http_probe", {}, "url: is missing"),
        ("http_probe", {**PROBE, "sample": 3}, "sample: unknown field; allowed: expect_body, "),
        ("http_probe", {**PROBE, "sample": 3}, 'did you mean "samples"?'),
        ("http_probe", {**PROBE, "samples": 0}, "samples: must be at least "),
        ("http_probe", {**PROBE, "method": "hunter2"}, "method: must be one of 'GET' or 'HEAD'"),
        ("http_probe", {**PROBE, "expect_body": 7}, "expect_body: must be a text"),
        ("http_probe", {"url": "hunter2"}, "url: must be an address"),
        ("dns_probe", {"name": "a.example", "expect": "hunter2"}, "expect: must be a list"),
        ("replay", {**REPLAY, "unit": 1}, "unit: must be a text; what looks like a number needs"),
        ("replay", {**REPLAY, "sha256": "hunter2"}, "sha256: must be a text like the pattern ^[0"),
        ("replay", {**REPLAY, "time_zone": "Mars"}, "time_zone: no time zone of the IANA"),
        ("ratio", {"total": {"typ": "x", "spec": {}}}, "typ: unknown field; allowed: spec, type"),
        ("ratio", {"total": "hunter2"}, "total: must have fields (name: value)"),
        ("http_probe", "hunter2", "specification for http_probe: must have fields"),
        ("http_probe", {**PROBE, "verify_tls": "hunter2"}, "verify_tls: must be true or false"),
        ("http_probe", {**PROBE, "samples": "hunter2"}, "samples: must be a whole number"),
    ],
)
def test_a_wrong_field_is_named_with_what_is_allowed(service, spec, said):
    message = complaint(service, spec)
    assert said in message
    assert "hunter2" not in message
    assert not re.search(r"Value error|Input should|whole:|Field required|Extra inputs", message)


def test_a_rule_of_several_fields_needs_no_name_of_a_field():
    source = {"type": "http_probe", "spec": PROBE}
    message = complaint("ratio", {"good": source, "bad": source, "total": source})
    assert "specification for ratio: " in message
    assert "write good or bad" in message
    assert "whole" not in message


def test_options_are_explained_in_the_same_words():
    with pytest.raises(BadRequest, match='workers"') as caught:
        load("http_probe")({"worker": "hunter2"})
    assert "options of http_probe: worker: unknown field; allowed: " in str(caught.value)
    assert "hunter2" not in str(caught.value)
