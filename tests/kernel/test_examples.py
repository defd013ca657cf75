"""examples/ as people run them: on real traffic, ended by SIGTERM, and without privileges."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Any

import pytest

import netns
from kernel import rulesets, sockets
from kernel.queues import require_rewriting
from kernel.test_audit import logged
from kernel.test_nflog import chain
from kernel.tools import eventually
from netlink import Conn, route
from netlink.netfilter import conntrack, nfqueue, nftables
from netlink.netfilter.conntrack import NAT, Flow, Tuple
from netlink.route import Address, Link, Route
from netlink.route.link import Veth
from pace import SLOWNESS, fewer

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAMS = {
    "fail2ban": [os.devnull],
    "blocklist": [os.devnull],
    "packet_tracer": ["127.0.0.1"],
    "flow_accounting": [],
    "nat_log": [],
    "firewall_log": ["5"],
    "ips": [str(EXAMPLES / "ips.signatures"), "0"],
    "rewriter": ["0", "old", "new"],
    "table_mirror": ["--port", "0"],
    "container_network": [],
    "load_balancer": ["192.0.2.1:80", "127.0.0.1:9"],
    "learning_switch": ["none0"],
    "l2tp_link": ["127.0.0.1", "127.0.0.2"],
    "drops": [],
    "wireguard_up": [os.devnull],
    "route_reflector": [str(EXAMPLES / "route_reflector.routes")],
}
UDP, PORT = 17, 9

if not EXAMPLES.exists():
    pytest.skip("the examples are not here", allow_module_level=True)


def command(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-X", "dev", "-W", "error", str(EXAMPLES / f"{name}.py"), *arguments]


class Program:
    """An example at work."""

    def __init__(self, name: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            command(name, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def until(self, pattern: str, stream: IO[str] | None = None) -> str:
        """Its next line that matches; the test's time limit ends the wait."""
        out = stream or self.process.stdout
        assert out is not None
        lines: list[str] = []
        for line in out:
            lines.append(line)
            if re.search(pattern, line):
                return line.rstrip()
        self.process.kill()
        rest, errors = self.process.communicate()
        raise AssertionError(f"no line has {pattern!r}:\n{''.join(lines)}{rest}{errors}")

    def end(self) -> str:
        """The rest of its output, after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        # Not communicate(): it leaves out what was read ahead.
        rest, errors = self.process.stdout.read(), self.process.stderr.read()
        assert self.process.wait() == 0, errors
        assert not errors or "Traceback" not in errors
        return rest


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    running: list[Program] = []

    def one(name: str, *arguments: str) -> Program:
        running.append(Program(name, *arguments))
        return running[-1]

    yield one
    for program in running:
        with program.process:
            program.process.kill()


@pytest.fixture
def tracked() -> None:
    netns.require_conntrack()
    for name in ("nf_conntrack_acct", "nf_conntrack_timestamp", "nf_conntrack_events"):
        netns.sysctl(f"net.netfilter.{name}", 1)
    chain("inet", "output", "ct state new counter")


@pytest.fixture
def rt(netns: Any) -> Iterator[route.Conn[Any]]:
    with route.dial() as rt:
        yield rt


def send(count: int, size: int = 100) -> Flow:
    """Send UDP packets on the loopback interface; returns what finds their flow."""
    with socket.socket(type=socket.SOCK_DGRAM) as sink, socket.socket(type=socket.SOCK_DGRAM) as sock:
        sink.bind(("127.0.0.1", PORT))
        sock.connect(("127.0.0.1", PORT))
        for _ in range(count):
            sock.send(bytes(size - 28))
        here = ip_address("127.0.0.1")
        return Flow(orig=Tuple(src=here, dst=here, proto=UDP, src_port=sock.getsockname()[1], dst_port=PORT))


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_and_privileges(name: str) -> None:
    text = subprocess.run(command(name, "--help"), capture_output=True, text=True, check=True).stdout
    assert "usage:" in text
    assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) <= 120

    def run() -> subprocess.CompletedProcess[str]:
        # What root drops otherwise it gets back by execve.
        return subprocess.run(
            ["setpriv", "--bounding-set=-net_admin", *command(name, *PROGRAMS[name])], capture_output=True, text=True
        )

    try:
        refused = run()
    except FileNotFoundError:
        pytest.skip("setpriv is missing (Debian: util-linux)")
    if "setpriv:" in refused.stderr:
        pytest.skip(refused.stderr.strip())
    if "the kernel has no generic netlink family" in refused.stderr:
        pytest.skip(refused.stderr.strip())
    assert refused.returncode == 1
    assert len(refused.stderr.strip().splitlines()) == 1, refused.stderr
    assert refused.stderr.startswith(f"{name}.py: ")
    assert "Operation not permitted" in refused.stderr


def test_flow_accounting(tracked: None, start: Callable[..., Program], tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    program = start("flow_accounting", "--interval", "0.05", "--state", str(state))
    program.until("0 sources")
    flow = send(3)
    program.until(r"127\.0\.0\.1 3 packets 300 bytes")
    with conntrack.dial() as ct:
        ct.delete(flow)
        program.until(r"127\.0\.0\.1 3 packets 300 bytes")
        again = send(2)
        ct.delete(again)
        assert "127.0.0.1 5 packets 500 bytes" in program.end()
        # Over a restart: a connection that lives on is not counted twice.
        flow = send(4)
        program = start("flow_accounting", "--interval", "0.05", "--state", str(state))
        program.until(r"127\.0\.0\.1 9 packets 900 bytes")
        program.end()
        program = start("flow_accounting", "--state", str(state))
        program.until(r"127\.0\.0\.1 9 packets 900 bytes")
        program.end()
    assert json.loads(state.read_text())["sums"] == {"127.0.0.1": [9, 900]}


def test_flow_accounting_under_overload(tracked: None, start: Callable[..., Program], tmp_path: Path) -> None:
    """It says what it lost, and the sums of what lives on are right."""
    state = tmp_path / "state.json"
    program = start("flow_accounting", "--interval", "0.05", "--state", str(state), "--read-buffer", "4096")
    program.until("0 sources, 0 events lost")
    with conntrack.dial() as ct:
        program.process.send_signal(signal.SIGSTOP)
        try:
            netns.add_flows(ct.conn, 200)
            ct.flush()
            send(3)
        finally:
            program.process.send_signal(signal.SIGCONT)
        program.until(r"sources, [1-9]\d* events lost")
        program.until(r"127\.0\.0\.1 3 packets 300 bytes")
        assert "127.0.0.1 3 packets 300 bytes" in program.end()
    assert json.loads(state.read_text())["sums"]["127.0.0.1"] == [3, 300]


def translated(n: int) -> Flow:
    client, public, server = ip_address("10.0.0.0") + n, ip_address("198.51.100.1"), ip_address("192.0.2.1")
    return Flow(
        orig=Tuple(src=client, dst=server, proto=UDP, src_port=5000, dst_port=53),
        reply=Tuple(src=server, dst=client, proto=UDP, src_port=53, dst_port=5000),
        nat_src=NAT(min_ip=public),
        timeout=300,
    )


def test_nat_log(tracked: None, start: Callable[..., Program]) -> None:
    with conntrack.dial() as ct:
        try:
            ct.create(translated(1))
        except OSError as error:
            pytest.skip(f"the kernel has no NAT: {error}")
        program = start("nat_log")
        program.until(r"START udp \[10\.0\.0\.1\]:5000 as \[198\.51\.100\.1\]:5000 to \[192\.0\.2\.1\]:53$")
        program.until("# 1 connections")
        ct.create(translated(2))
        program.until(r"START udp \[10\.0\.0\.2\]:5000 as \[198\.51\.100\.1\]:\d+ to \[192\.0\.2\.1\]:53$")
        ct.delete(translated(1))
        program.until(r"END udp \[10\.0\.0\.1\]:5000 as \[198\.51\.100\.1\]:5000")
    assert program.end() == ""


def test_firewall_log(start: Callable[..., Program]) -> None:
    chain("inet", "input", 'udp dport 9 log group 5 prefix "dropped" drop')
    program = start("firewall_log", "5")
    program.until("listening", program.process.stderr)
    send(1)
    entry = json.loads(program.until("dropped"))
    port = entry.pop("sport")
    assert 0 < port < 65536
    wanted = {"prefix": "dropped", "src": "127.0.0.1", "dst": "127.0.0.1", "proto": UDP, "dport": PORT, "length": 100}
    wanted |= {"in": "lo", "ip_flags": ["DF"]}
    assert {name: entry.get(name) for name in wanted} == wanted
    send(2)
    assert len(program.end().splitlines()) == 2


def queue_input(protocol: str, *target: str) -> None:
    """Queue what comes in to PORT."""
    netns.require_queues()
    rule = ["-A", "INPUT", "-p", protocol, "--dport", str(PORT), "-j", "NFQUEUE", *target]
    subprocess.run(["iptables", *rule], check=True)


class Pair:
    """A UDP socket that sends to another one."""

    def __init__(self, family: int = socket.AF_INET) -> None:
        here = "127.0.0.1" if family == socket.AF_INET else "::1"
        self.sink, self.source = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_DGRAM)
        self.sink.bind((here, PORT))
        self.source.connect((here, PORT))

    def received(self) -> Iterator[bytes]:
        """What has come in."""
        with contextlib.suppress(BlockingIOError):
            while True:
                yield self.sink.recv(70_000, socket.MSG_DONTWAIT)

    def __enter__(self) -> Pair:
        return self

    def __exit__(self, *_: object) -> None:
        self.sink.close()
        self.source.close()


def send_all(sock: socket.socket, data: bytes) -> None:
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


def children(process: subprocess.Popen[str]) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def test_fail2ban(start: Callable[..., Program], nft: nftables.Conn, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    program = start("fail2ban", str(tmp_path / "log"), "--attempts", "2", "--seconds", "60")
    with (tmp_path / "log").open("w", buffering=1) as log:
        for address in ("127.0.0.3", "127.0.0.4", "999.0.0.1", "999.0.0.1", "127.0.0.3"):
            log.write(f"sshd[7]: Failed password for root from {address} port 4 ssh2\n")
        program.until(r"banned 127\.0\.0\.3 for 60 s")
        (banned,) = nft.sets(table="fail2ban")
        (entry,) = nft.entries(banned)
        assert str(entry.key) == "127.0.0.3"
        assert 0 < (entry.element.expiration or 0) <= 60_000
        assert "ip saddr @banned counter packets 0 bytes 0 drop" in rulesets.nft("list ruleset").stdout
        with socket.socket(type=socket.SOCK_DGRAM) as receiver:
            receiver.bind(("127.0.0.1", 0))
            for source in ("127.0.0.3", "127.0.0.4"):
                with socket.socket(type=socket.SOCK_DGRAM) as sender:
                    sender.bind((source, 0))
                    sender.sendto(source.encode(), receiver.getsockname())
            assert receiver.recv(100) == b"127.0.0.4"
        program.end()
    assert len(nft.tables()) == 0


def test_a_blocklist(start: Callable[..., Program], nft: nftables.Conn, tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("127.0.0.3  # a test\n\n2001:db8::/32\n")
    program = start("blocklist", str(path), "--every", "3600")
    program.until("blocked: 1 networks of IPv4, 1 of IPv6")
    with socket.socket(type=socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))

        def received(sources: list[str]) -> bytes:
            for source in sources:
                with socket.socket(type=socket.SOCK_DGRAM) as sender:
                    sender.bind((source, 0))
                    sender.sendto(source.encode(), receiver.getsockname())
            return receiver.recv(100)

        assert received(["127.0.0.3", "127.0.0.4"]) == b"127.0.0.4"
        many = fewer(100_000)
        others = "".join(f"{10 + (n >> 17)}.{n >> 9 & 255}.{n >> 1 & 255}.{(n & 1) * 128}/26\n" for n in range(many))
        path.write_text("127.0.0.4\n" + others)
        program.process.send_signal(signal.SIGHUP)
        program.until(f"blocked: {many + 1:,} networks of IPv4, 0 of IPv6")
        assert received(["127.0.0.4", "127.0.0.3"]) == b"127.0.0.3"
    sets = {each.name: each for each in nft.sets(table="blocklist")}
    assert len(nft.entries(sets["blocked4"])) == many + 1
    assert nft.entries(sets["blocked6"]) == []
    path.write_text("192.0.2.1/24\n")
    program.process.send_signal(signal.SIGHUP)
    program.until(r":1: 192\.0\.2\.1/24 has host bits set", program.process.stderr)
    assert len(nft.entries(sets["blocked4"])) == many + 1
    program.end()
    assert len(nft.tables()) == 0


def test_a_packet_tracer(start: Callable[..., Program], nft: nftables.Conn) -> None:
    rulesets.load(
        "table ip t {\nchain other { counter; }\n"
        "chain in { type filter hook input priority 0; policy drop; udp dport 9 jump other; }\n}"
    )
    program = start("packet_tracer", "127.0.0.1", "--udp", "9")
    program.until("tracing", program.process.stderr)
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        sender.sendto(b"", ("127.0.0.1", 10))
        sender.sendto(b"", ("127.0.0.1", 9))
        program.until(rf"^127\.0\.0\.1\.{sender.getsockname()[1]} > 127\.0\.0\.1\.9 udp$")
    (other,), (into,) = nft.rules(table="t", chain="other"), nft.rules(table="t", chain="in")
    program.until(f"^  t in rule {into.handle}: JUMP other$")
    program.until(f"^  t other rule {other.handle}: CONTINUE$")
    program.until("^  t in policy: DROP$")
    program.end()
    assert [table.name for table in nft.tables()] == ["t"]


WRONG = [
    ("fail2ban", ["/nonexistent"], 1, "No such file or directory: '/nonexistent'"),
    ("fail2ban", ["/dev/null", "--attempts", "0"], 2, "attempts and seconds are from 1 on"),
    ("blocklist", ["/dev/null", "--every", "nan"], 2, "argument --every: invalid seconds value: 'nan'"),
    ("packet_tracer", ["127.0.0.1", "--tcp", "65536"], 2, "argument --tcp: invalid port value: '65536'"),
    ("packet_tracer", ["10.0.0.1/8"], 2, "argument destination: invalid ip_network value: '10.0.0.1/8'"),
    ("fail2ban", ["/dev/null"], 1, "change 0, NEWTABLE fail2ban, of 4: it is there already"),
]


@pytest.mark.parametrize(("name", "arguments", "status", "text"), WRONG)
def test_what_firewalls_cannot_be_told(
    nft: nftables.Conn, name: str, arguments: list[str], status: int, text: str
) -> None:
    taken = nftables.Table(family=nftables.Family.IPV4, name="fail2ban")
    with nft.transaction() as tx:
        tx.add(taken)
    run = subprocess.run(command(name, *arguments), capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (status, "")
    assert text in run.stderr.splitlines()[-1]
    assert run.stderr.count(text) == 1
    assert "Traceback" not in run.stderr
    assert [table.name for table in nft.tables()] == ["fail2ban"]


def test_a_firewall_ends_by_an_interrupt(start: Callable[..., Program], nft: nftables.Conn, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    program = start("fail2ban", str(tmp_path / "log"), "--attempts", "1")
    with (tmp_path / "log").open("w", buffering=1) as log:
        log.write("sshd[7]: Failed password for root from 192.0.2.1 port 4 ssh2\n")
        program.until("banned")
        program.process.send_signal(signal.SIGINT)
        assert program.process.wait() == 0
    assert program.process.stderr is not None
    assert program.process.stderr.read() == ""
    assert len(nft.tables()) == 0


def test_a_list_that_is_none_and_a_table_that_is_gone(
    start: Callable[..., Program], nft: nftables.Conn, tmp_path: Path
) -> None:
    path = tmp_path / "list"
    path.write_bytes(b"\xff\xfe")
    program = start("blocklist", str(path), "--every", "3600")
    program.until(r"^the list stays as it was: .*list:1: ", program.process.stderr)
    path.write_text("192.0.2.0/24")
    rulesets.load("delete table inet blocklist")
    program.process.send_signal(signal.SIGHUP)
    assert program.process.stderr is not None
    (line,) = program.process.stderr.read().splitlines()
    assert re.fullmatch(r"blocklist\.py: netlink commit: No such file .*DELSETELEM blocklist blocked4.*", line)
    assert program.process.wait() == 1


def test_ips(start: Callable[..., Program]) -> None:
    queue_input("udp", "--queue-balance", "0:1")
    program = start("ips", str(EXAMPLES / "ips.signatures"), "0", "1", "--read-buffer", "4096")
    for _ in range(2):
        program.until(r"queue [01]: inspecting")
    with Pair() as pair:
        for text in (b"hello", b"GET /?q=${JNDI:ldap://x}", b"GET /../../../etc/passwd", b"bye"):
            pair.source.send(text)
        port = pair.source.getsockname()[1]
        where = rf"\[127\.0\.0\.1\]:{port} to \[127\.0\.0\.1\]:{PORT} protocol {UDP}$"
        program.until("DROP log4shell " + where)
        program.until("DROP path_traversal " + where)
        assert [pair.sink.recv(100) for _ in range(2)] == [b"hello", b"bye"]

        # Overload: the rest passes, and is counted.
        workers = children(program.process)
        assert len(workers) == 2
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        try:
            for number in range(100):
                pair.source.send(b"${jndi:dns:%d" % number)
            passed = len(list(pair.received()))
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)
        assert 0 < passed < 100
        for _ in range(100 - passed):
            program.until("DROP log4shell")
        pair.source.send(b"harmless")
        assert pair.sink.recv(100) == b"harmless"
        line = program.until("passed without inspection")
        assert re.fullmatch(rf"queue [01]: {passed} packets passed without inspection", line)
    assert program.end() == ""


def test_ips_says_what_is_wrong(tmp_path: Path) -> None:
    signatures = tmp_path / "signatures"
    for text, wanted in (("# none\n", "has no signatures"), ("\ngood a\nbad (\n", ":3: ")):
        signatures.write_text(text)
        run = subprocess.run(command("ips", str(signatures), "0"), capture_output=True, text=True)
        assert run.returncode == 1
        assert re.fullmatch(rf"ips\.py: .*{wanted}.*\n", run.stderr)
    signatures.write_text("good a\n")
    run = subprocess.run(command("ips", str(signatures), "70000"), capture_output=True, text=True)
    assert run.returncode == 1
    assert re.fullmatch(r"ips\.py: queue 70000: number must be an int from 0 to 65535.*\n", run.stderr)


def test_ips_ends_where_one_queue_has_another_owner(start: Callable[..., Program]) -> None:
    netns.require_queues()
    with nfqueue.listen(1):
        program = start("ips", str(EXAMPLES / "ips.signatures"), "0", "1")
        assert program.process.stderr is not None
        program.until("ips.py: queue 1: .*busy", program.process.stderr)
        assert program.process.wait() == 1


def test_rewriter(start: Callable[..., Program]) -> None:
    require_rewriting()
    queue_input("udp", "--queue-num", "0")
    queue_input("tcp", "--queue-num", "0")
    program = start("rewriter", "0", "secret", "public")
    program.until("rewriting")
    with Pair() as pair, socket.create_server(("127.0.0.1", PORT)) as server:
        for text in (b"a secret", b"nothing", b"secret secret"):
            pair.source.send(text)
        # What arrives had right checksums: the kernel does not take those of rewritten packets for granted.
        assert [pair.sink.recv(100) for _ in range(3)] == [b"a public", b"nothing", b"public public"]
        pair.source.send(b"x" * 3000 + b"secret")
        assert pair.sink.recv(4000) == b"x" * 3000 + b"public"
        with socket.create_connection(("127.0.0.1", PORT)) as client:
            peer, _ = server.accept()
            with peer:
                sender = threading.Thread(target=send_all, args=(client, b"secret" * 20_000))
                sender.start()
                got = b"".join(iter(lambda: peer.recv(65536), b""))
                sender.join()
        # Those that lie in two packets are not found.
        assert len(got) == 120_000
        assert 19_000 < got.count(b"public") <= 20_000
    assert re.fullmatch(r"\d+ packets rewritten, 0 lost, 0 verdicts refused\n", program.end())


def test_rewriter_with_another_length(start: Callable[..., Program]) -> None:
    require_rewriting()
    queue_input("udp", "--queue-num", "0")
    queue_input("tcp", "--queue-num", "0")
    program = start("rewriter", "0", "secret", "no")
    program.until("rewriting")
    with Pair() as pair, socket.create_server(("127.0.0.1", PORT)) as server:
        pair.source.send(b"a secret, secretly")
        assert pair.sink.recv(100) == b"a no, noly"
        with socket.create_connection(("127.0.0.1", PORT)) as client:
            peer, _ = server.accept()
            with peer:
                client.sendall(b"secret")
                assert peer.recv(100) == b"secret"
    assert program.end() == "1 packets rewritten, 0 lost, 0 verdicts refused\n"


def test_table_mirror(tracked: None, start: Callable[..., Program]) -> None:
    program = start("table_mirror", "--port", "0")
    url = program.until("0 connections at").split()[-1]
    send(1)
    program.until(r"NEW 127\.0\.0\.1 127\.0\.0\.1")

    def get(query: str) -> list[dict[str, Any]]:
        with urllib.request.urlopen(url + query) as answer:
            found: list[dict[str, Any]] = json.load(answer)
            return found

    flows = [flow for flow in get("?127.0.0.1") if flow["orig"]["proto"] == UDP]
    assert [flow["orig"]["dst_port"] for flow in flows] == [PORT]
    assert get("?192.0.2.9") == []
    assert "0 events lost" in program.end()


def test_the_notebook(tracked: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("polars", "duckdb", "pyarrow", "matplotlib"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is missing")
    program = [
        "import matplotlib, json, sys",
        'matplotlib.use("agg")',
        "names = {}",
        "for cell in json.load(open(sys.argv[1]))['cells']:",
        "    if cell['cell_type'] == 'code':",
        "        source = ''.join(cell['source'])",
        "        exec(compile(source, 'cell', 'exec'), names)",
        "assert '<table' in names['flows']._repr_html_()",
        "assert names['services']['len'].sum() == len(names['flows']) == 30",
        "assert names['clients']['flows'].sum() == 30",
        "assert len(names['axes'].patches) == 3",
    ]
    with conntrack.dial() as ct:
        for n in range(30):
            client, server = ip_address("198.51.100.0") + n % 5, ip_address("192.0.2.1")
            orig = Tuple(src=client, dst=server, proto=UDP, src_port=1024 + n, dst_port=53 + n % 3)
            reply = Tuple(src=server, dst=client, proto=UDP, src_port=53 + n % 3, dst_port=1024 + n)
            ct.create(Flow(orig=orig, reply=reply, timeout=300))
    run = subprocess.run(
        [sys.executable, "-c", "\n".join(program), str(EXAMPLES / "flows.ipynb")], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr


def test_devices_that_come_and_go(start: Callable[..., Program], conn: Conn) -> None:
    program = start("devices", "--subsystem", "net", "--property", "IFINDEX")
    program.until("events of kernel", program.process.stderr)
    index = netns.add_link(conn, "demo0")
    assert program.until("demo0").split()[:3] == ["add", "net", "/devices/virtual/net/demo0"]
    netns.delete_link(conn, index)
    assert program.until("remove .*net/demo0").endswith(f" IFINDEX={index}")
    program.end()


class Transfer(sockets.Pair):
    """A TCP connection over loopback, with bytes sent by one side."""

    def send(self, size: int) -> None:
        self.client.sendall(bytes(size))
        self.accepted.recv(size, socket.MSG_WAITALL)


def test_a_small_ss(opened: contextlib.ExitStack) -> None:
    pair = sockets.Pair(opened)
    arguments = command("ss", "--port", str(pair.own), "--to", "127.0.0.0/8")
    head, line = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.splitlines()
    assert head.split()[0] == "state"
    assert line.split()[1] == "ESTABLISHED"
    assert f"127.0.0.1:{pair.own}" in line
    assert f"({os.getpid()}) fd {pair.client.fileno()}" in line


def test_connections_by_process(start: Callable[..., Program]) -> None:
    with contextlib.ExitStack() as opened:
        transfer = Transfer(opened)
        program = start("connections", "--every", "0.05")
        # This process has both ends: what goes out comes in.
        assert program.until(rf"^ *{os.getpid()} ").split()[1:5] == ["2", "0", "B/s", "0"]
        done = threading.Event()

        def busy() -> None:
            while not done.is_set():
                transfer.send(100_000)

        thread = threading.Thread(target=busy)
        thread.start()
        try:
            line = program.until(rf"^ *{os.getpid()} .*[KMG]iB/s .*[KMG]iB/s")
        finally:
            done.set()
            thread.join()
        assert line.split()[1] == "2"
        program.end()


def test_statistics_of_tcp_in_a_parquet_file(start: Callable[..., Program], tmp_path: Path) -> None:
    if importlib.util.find_spec("pyarrow") is None:
        pytest.skip("pyarrow is missing")
    path = tmp_path / "tcp.parquet"
    with contextlib.ExitStack() as opened:
        lasting, other = Transfer(opened), Transfer(opened)
        lasting.send(5000)
        program = start("tcp_statistics", str(path), "--to", "127.0.0.0/8")
        program.until("listening", program.process.stderr)
        with contextlib.ExitStack() as each:
            brief = Transfer(each)
            brief.send(3000)
        ended = 0
        while ended < 2:
            ended += int(program.until("sockets ended").split()[0])
        program.end()
    # In a process of its own: the library keeps threads.
    read = "import json, sys; from pyarrow import parquet; print(json.dumps(parquet.read_table(sys.argv[1], columns="
    read += "['header_dst', 'header_dst_port', 'ended', 'info_bytes_acked']).to_pylist()))"
    printed = subprocess.run([sys.executable, "-c", read, str(path)], capture_output=True, text=True, check=True).stdout
    rows = {(row["header_dst_port"], row["ended"]): row for row in json.loads(printed)}
    assert rows[brief.port, True]["info_bytes_acked"] in (3001, 3002)
    assert rows[lasting.port, False]["info_bytes_acked"] == 5001
    assert rows[other.port, False]["info_bytes_acked"] == 1
    assert rows[brief.port, True]["header_dst"] == "127.0.0.1"
    assert (brief.port, False) not in rows


@pytest.mark.parametrize("name", ["connections", "devices", "processes", "ss", "tcp_statistics"])
def test_help_of_those_that_need_no_privilege(name: str) -> None:
    if name == "tcp_statistics" and importlib.util.find_spec("pyarrow") is None:
        pytest.skip("pyarrow is missing")
    assert "usage:" in subprocess.run(command(name, "--help"), capture_output=True, text=True, check=True).stdout
    assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) <= 120


def answered(source: socket.socket, sink: socket.socket) -> Any:
    """The address that a packet from one socket has when it comes to the other."""
    sink.settimeout(0.1)
    for _ in range(100):
        source.send(b"hello")  # again: the first ones may be lost while links come up
        with contextlib.suppress(TimeoutError):
            return sink.recvfrom(100)[1][0]
    raise AssertionError("nothing comes through")


def udp(namespace: netns.Namespace, address: str, port: int = PORT) -> socket.socket:
    """A socket of a namespace, bound to an address there, or connected to one elsewhere."""
    with netns.inside(namespace.fd), route.dial() as rt:
        sock = socket.socket(type=socket.SOCK_DGRAM)
        own = {str(one.ip.ip) for one in rt.dump(Address) if one.ip}
        (sock.bind if address in own else sock.connect)((address, port))
    return sock


def test_container_network(start: Callable[..., Program], rt: route.Conn[Any]) -> None:
    netns.sysctl("net.ipv4.ip_forward", 1)
    with contextlib.ExitStack() as stack:
        one, two, world = (stack.enter_context(netns.another()) for _ in range(3))
        names = [stack.enter_context(netns.named(each)) for each in (one, two)]
        out = rt.create(Link(name="out0", kind="veth", data=Veth(peer=Link(name="eth0", net_ns_fd=world.fd))))
        rt.create(Address(index=out.index, address="203.0.113.1/24"))
        rt.up("out0")
        with route.dial(netns=world.fd) as there:
            there.create(Address(index=there.index("eth0"), address="203.0.113.2/24"))
            there.up("eth0")

        program = start("container_network", "--out", "out0", *names)
        program.until(rf"{names[0]} has 172\.30\.0\.2/24 on port0$")
        program.until("2 containers on containers0")
        server, neighbour = udp(world, "203.0.113.2"), udp(two, "172.30.0.3")
        to_server, to_neighbour = udp(one, "203.0.113.2"), udp(one, "172.30.0.3")
        for sock in (server, neighbour, to_server, to_neighbour):
            stack.enter_context(sock)
        assert answered(to_neighbour, neighbour) == "172.30.0.2"
        assert answered(to_server, server) == "203.0.113.1"

        assert program.end() == ""
        assert [link.name for link in rt.dump(Link) if link.name != "lo"] == ["out0"]
        assert "container" not in subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True).stdout
        with route.dial(netns=one.fd) as there:
            assert len(there.dump(Link)) == 1


def test_a_container_network_that_fails_is_removed(start: Callable[..., Program], rt: route.Conn[Any]) -> None:
    netns.names_folder()
    program = start("container_network", "there-is-none")
    assert program.process.wait() == 1
    assert program.process.stderr is not None
    assert "there-is-none" in program.process.stderr.read()
    assert [link.name for link in rt.dump(Link)] == ["lo"]


def test_route_reflector(start: Callable[..., Program], rt: route.Conn[Any], tmp_path: Path) -> None:
    count = int(20_000 // SLOWNESS)
    index = rt.create(Link(name="v0", kind="bridge")).index
    rt.create(Address(index=index, address="198.51.100.1/24"))
    rt.up("v0")
    lines = [f"{ip_address('10.0.0.0') + n} 198.51.100.2\n" for n in range(count)]
    routes = tmp_path / "routes"
    routes.write_text("".join(lines))
    program = start("route_reflector", str(routes), "10.0.0.9")
    program.until(f"{count} routes new, 0 gone, 0 refused")
    program.until(r"10\.0\.0\.9: 10\.0\.0\.9/32 by 198\.51\.100\.2")
    assert len(rt.dump(Route, table=100)) == count
    # The rest stays.
    lines[9:20] = ["10.0.0.8/30 198.51.100.3\n", "bad\n"]
    routes.write_text("".join(lines))
    program.process.send_signal(signal.SIGHUP)
    program.until("routes:11: ", program.process.stderr)
    del lines[10]
    routes.write_text("".join(lines))
    program.process.send_signal(signal.SIGHUP)
    program.until("^1 routes new, 11 gone, 0 refused")
    program.until(r"10\.0\.0\.9: 10\.0\.0\.8/30 by 198\.51\.100\.3")
    # Another program's routes are no business of ours.
    rt.create(Route(dst="10.0.0.9", gateway="198.51.100.4", table=100))
    program.until(r"10\.0\.0\.9: 10\.0\.0\.9/32 by 198\.51\.100\.4")
    rt.flush(Route, table=100, protocol=200)
    program.until("the kernel has 0 routes")
    assert re.fullmatch(r"the kernel has 0 routes, \d+ events lost\n", program.end())


def test_processes_that_end(start: Callable[..., Program], tmp_path: Path) -> None:
    with netns.inside(netns.first()):
        program = start("processes", "--failed")
    assert program.process.stderr is not None
    said = program.process.stderr.readline()
    if "listening" not in said:
        pytest.skip(said.strip())
    # Its program is long enough there to be found in /proc.
    with subprocess.Popen(["sh", "-c", "read line; exit 7"], stdin=subprocess.PIPE, cwd=tmp_path) as child:
        found = f"/proc/{child.pid}/cmdline"
        eventually(lambda: Path(found).read_bytes().startswith(b"sh"), "the shell runs")
        child.communicate(b"\n")
    shown = program.until(f" {child.pid} of")
    assert re.match(r" *\d+\.\d{3} s  status 7", shown)
    assert f" of {os.getpid()} " in shown
    program.end()


def test_audit_log(start: Callable[..., Program]) -> None:
    with netns.inside(netns.first()):
        program = start("audit_log")
    assert program.process.stderr is not None
    said = program.process.stderr.readline()
    if "listening" not in said:
        pytest.skip(said.strip())
    pid = logged()
    shown = program.until(f" pid='{pid}' ")
    assert re.search(r"SECCOMP .* comm='.*' exe='.*python.*' .*syscall='\d+' code='0x7ffc0000'$", shown)
    program.end()
