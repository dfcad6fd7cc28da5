"""A name server with bad habits, over UDP and TCP on one free port of 127.0.0.1."""

from __future__ import annotations

import contextlib
import socketserver
import struct
import threading
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

RECORDS = {
    ("www.test.", "A"): ["192.0.2.1", "192.0.2.2"],
    ("www.test.", "AAAA"): ["2001:db8::1"],
    ("test.", "MX"): ["10 Mail.TEST.", "20 mail2.test."],
    ("test.", "TXT"): ['"v=spf1 " "-all"'],
    ("long.test.", "A"): [f"192.0.2.{n}" for n in range(1, 250)],
    ("truncated.test.", "A"): ["192.0.2.7"],
}


@dataclass
class NameServer:
    """The first label of the name decides the behaviour; `asked` are (transport, name, type)."""

    port: int = 0
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def packets(self, question, transport):
        """What is sent back, packet by packet."""
        query = dns.message.from_wire(question)
        [asked] = query.question
        name, kind = asked.name.to_text(), dns.rdatatype.to_text(asked.rdtype)
        self.asked.append((transport, name, kind))
        answer = dns.message.make_response(query)
        if name == "alias.test.":
            alias = dns.rrset.from_text(name, 60, "IN", "CNAME", "www.test.")
            answer.answer.append(alias)
            name = "www.test."
        if records := RECORDS.get((name, kind)):
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *records))
        match name.split(".")[0]:
            case "silent":
                return []
            case "missing":
                answer.set_rcode(dns.rcode.NXDOMAIN)
            case "broken":
                answer.set_rcode(dns.rcode.SERVFAIL)
            case "refused":
                answer.set_rcode(dns.rcode.REFUSED)
            case "noise":
                return [b"\x00\xff"]
            case "forged":  # whoever guesses cannot know the number of the question
                forged = dns.message.from_wire(answer.to_wire())
                forged.id ^= 1
                forged.set_rcode(dns.rcode.NXDOMAIN)
                answer.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "192.0.2.3"))
                return [b"noise", forged.to_wire(), answer.to_wire()]
            case "hangs-up" if transport == "tcp":
                return [answer.to_wire()[:5]]
            case "hangs-up":
                answer.flags |= dns.flags.TC
            case "truncated" if transport == "udp":
                answer.flags |= dns.flags.TC
                answer.answer.clear()
        if transport == "tcp":
            return [answer.to_wire(max_size=65_535)]
        with contextlib.suppress(dns.exception.TooBig):
            return [answer.to_wire(max_size=query.payload or 512)]
        answer.answer.clear()
        answer.flags |= dns.flags.TC
        return [answer.to_wire()]


@contextlib.contextmanager
def naming():
    server = NameServer()

    class ByUdp(socketserver.BaseRequestHandler):
        def handle(self):
            question, reply = self.request
            for packet in server.packets(question, "udp"):
                reply.sendto(packet, self.client_address)

    class ByTcp(socketserver.StreamRequestHandler):
        def handle(self):
            [size] = struct.unpack("!H", self.rfile.read(2))
            for packet in server.packets(self.rfile.read(size), "tcp"):
                whole = len(packet) > 5
                self.wfile.write(struct.pack("!H", len(packet) if whole else 100) + packet)

    with contextlib.ExitStack() as stack:
        while not server.port:  # one that is free in both
            tcp = socketserver.TCPServer(("127.0.0.1", 0), ByTcp)
            try:
                udp = socketserver.UDPServer(tcp.server_address, ByUdp)
            except OSError:
                tcp.server_close()
            else:
                server.port = tcp.server_address[1]
        for one in (udp, tcp):
            stack.enter_context(one)
            thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            stack.callback(thread.join)
            stack.callback(one.shutdown)
        yield server
