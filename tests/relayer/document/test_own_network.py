"""A document says where reporters' machines send requests: what only they can reach is pointed out."""

import json

import pytest

from relayer.document import load_document
from relayer.document.own_network import asked_inside, is_inside
from relayer.yaml_lines import load
from tests.relayer.document.conftest import SAMPLE

INSIDE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",  # noqa: S104
    "100.64.0.1", "224.0.0.251", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1",
    "ff02::1", "::ffff:10.0.0.1", "localhost", "LOCALHOST", "localhost.", "db.localhost", "prometheus", "prometheus.",
    "metadata.google.internal", "printer.local", "nas.home.arpa",
]  # fmt: skip
OUTSIDE = ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "api.example.com", "local.example", "localhost.example.com",
           "example.com."]  # fmt: skip


@pytest.mark.parametrize("host", INSIDE)
def test_what_is_inside(host):
    assert is_inside(host)


@pytest.mark.parametrize("host", OUTSIDE)
def test_what_is_outside(host):
    assert not is_inside(host)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"url": "http://127.0.0.1:8545/"}, ["127.0.0.1:8545"]),
        ({"url": "http://169.254.169.254/latest/meta-data"}, ["169.254.169.254"]),
        ({"url": "HTTP://[::1]:9090/?from={start_s}"}, ["[::1]:9090"]),
        ({"url": "http://2130706433/"}, ["127.0.0.1"]),
        ({"url": "http://0x7f.1:80/"}, ["127.0.0.1:80"]),
        ({"url": "http://127。0。0。1/"}, ["127.0.0.1"]),
        ({"url": "http:/127.0.0.1/"}, ["127.0.0.1"]),
        ({"url": " https://api.example.com@prometheus/"}, ["prometheus"]),
        ({"host": "localhost", "port": 25, "send": "x"}, ["localhost:25"]),
        ({"host": "::1", "port": 25}, ["[::1]:25"]),
        ({"servers": ["ns1.example.com", "10.0.0.1:53", "[fd00::1]:53", "ns"]}, ["10.0.0.1:53", "[fd00::1]:53", "ns"]),
        ({"good": {"type": "prometheus", "spec": {"url": "http://prometheus:9090"}}}, ["prometheus:9090"]),
        ({"a": {"url": "http://x/"}, "b": {"url": "http://x/"}}, ["x"]),
        ({"endpoint": "http://10.0.0.1"}, ["10.0.0.1"]),
        ({"url": "https://api.example.com/?next=http://127.0.0.1/"}, []),
        ({"url": "http://exa mple/", "host": "not a host", "port": 1}, []),
        ({"query": "up", "name": "localhost", "port": 5, "steps": [1, None, True]}, []),
    ],
)  # fmt: skip
def test_which_hosts_of_a_specification_are_inside(spec, said):
    assert asked_inside(spec) == said


@pytest.fixture
def document(write):
    def document(*urls):
        content = json.loads(json.dumps(load(SAMPLE).plain()))
        level = content["spec"]["levels"][0]
        own = level["reporters"]["keys"]
        level["reporters"]["keys"] = [
            {"key": key if isinstance(key, str) else key["key"]} for key in own
        ]
        source = level["indicator"]["dataSource"]
        source["spec"]["url"] = urls[0]
        for key, url in zip(level["reporters"]["keys"], urls[1:], strict=False):
            key["dataSource"] = {**source, "spec": {**source["spec"], "url": url}}
        return load_document(write(json.dumps(content)))

    return document


def test_a_document_that_asks_inside_says_so(document):
    assert document("https://api.example.com/").notices == ()
    [said] = document("http://127.0.0.1:8545/").notices
    assert said == (
        "availability: http_probe asks 127.0.0.1:8545, which is inside the reporter's own network: "
        "only reporters whose allowed_networks name it do so"
    )
    # Of reporters that have data sources of their own, too; the indicator's is asked by the third only.
    found = document("http://a.example/", "http://10.0.0.1/", "http://shop:8080/")
    assert sorted(said.partition(",")[0] for said in found.notices) == [
        "availability: http_probe asks 10.0.0.1",
        "availability: http_probe asks shop:8080",
    ]
