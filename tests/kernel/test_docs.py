"""The pages of docs: every block of code on them runs, and prints what the page says it prints.

The Python blocks of a page share one module, from top to bottom, as a reader types them. Blocks of shell commands
(`sh`) run in the same network namespace. A `text` block behind a block is its output, in which "..." stands for
anything. `console` blocks, commands that install or build something, are the only ones that do not run.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import netns
from kernel.queues import require_rewriting
from kernel.test_crypto import require_changes
from kernel.test_devlink import require_netdevsim
from kernel.test_drop_monitor import require_monitor
from kernel.test_ipvs import require_ipvs
from kernel.test_l2tp import require_l2tp
from kernel.test_nbd import require_nbd
from kernel.test_nl80211 import network_nearby
from kernel.test_nlmon import require_nlmon
from kernel.test_openvswitch import require_openvswitch
from kernel.test_wireguard import require_wireguard
from kernel.test_xfrm import require_esp
from netlink import Family, OpError, audit, connector, dial, route, xfrm, ynl
from netlink.generic import netdev, nlctrl, taskstats, tcp_metrics
from netlink.netfilter import conntrack
from netlink.route import Link
from netlink.route.link import Bridge, Vlan
from pace import SLOWNESS

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))
FENCE = re.compile(r"^```(?!\{)(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)  # and no directive
ELSEWHERE = ("changelog.md", "benchmarks.md")  # texts that are not written for this folder, or by hand
COMMANDS = {"install.md", "tour.md", "namespaces.md", "kernels.md", "nlmon.md", "ynl.md"}  # have console blocks


class Block(NamedTuple):
    line: int
    language: str
    code: str
    output: str | None


def blocks(page: str) -> Iterator[Block]:
    text = (DOCS / page).read_text()
    fences = list(FENCE.finditer(text))
    for i, fence in enumerate(fences):
        language, code = fence.groups()
        line = text.count("\n", 0, fence.start()) + 2
        after = fences[i + 1] if i + 1 < len(fences) else None
        output = after[2] if after and after[1] == "text" and not text[fence.end() : after.start()].strip() else None
        if language in ("python", "sh"):
            yield Block(line, language, code, output)
        elif language == "text":
            assert i, f"{page}:{line}: the output of what?"
            assert not text[fences[i - 1].end() : fence.start()].strip(), f"{page}:{line}: the output of what?"
        else:
            assert language == "console", f"{page}:{line}: who runs {language}?"
            assert page in COMMANDS, f"{page}:{line}: who runs this?"


def run_python(page: str, block: Block, names: dict[str, Any]) -> str:
    # Tracebacks show the page's lines.
    code = compile("\n" * (block.line - 1) + block.code, str(DOCS / page), "exec", dont_inherit=True)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code, names)
    return out.getvalue()


def run_shell(code: str) -> str:
    for command in re.findall(r"^(\w+) ", code, re.MULTILINE):
        if not shutil.which(command):
            pytest.skip(f"there is no {command} on this machine")
    run = subprocess.run(["sh", "-ec", code], capture_output=True, text=True, timeout=30 * SLOWNESS)
    assert run.returncode == 0, run.stderr
    return run.stdout


def matches(expected: str, printed: str) -> bool:
    pattern = ".*?".join(re.escape(part) for part in expected.rstrip().split("..."))
    return re.fullmatch(pattern, printed.rstrip(), re.DOTALL) is not None


# What a page takes for given.


def conntrack_sysctls() -> None:
    netns.require_conntrack()
    for name in ("nf_conntrack_acct", "nf_conntrack_timestamp", "nf_conntrack_events"):
        netns.sysctl(f"net.netfilter.{name}", 1)


def flows(count: int) -> None:
    with dial(Family.NETFILTER) as conn:
        netns.add_flows(conn, count)


def logged_and_tracked() -> None:
    conntrack_sysctls()
    rules = "ct state new counter; udp dport 9999 log group 5 log group 123"
    run_shell(f"nft 'table inet demo {{ chain in {{ type filter hook input priority 0; {rules}; }}; }}'")


def queued() -> None:
    netns.require_queues()
    run_shell("iptables -A INPUT -p udp --dport 9999 -j NFQUEUE --queue-num 1")


def link() -> None:
    """An interface eth0: down, so that it has no neighbours of its own."""
    with dial(Family.ROUTE) as conn:
        netns.add_link(conn, "eth0")


def services() -> None:
    """300 flows of 50 clients to three services, marked 0 to 4."""
    for name in ("polars", "duckdb", "pyarrow"):
        pytest.importorskip(name)
    conntrack_sysctls()
    server = ip_address("192.0.2.1")
    with conntrack.dial() as ct:
        for i in range(300):
            client, port, service = ip_address("198.51.100.0") + i % 50, 1024 + i, (53, 123, 443)[i // 100]
            orig = conntrack.Tuple(src=client, dst=server, proto=17, src_port=port, dst_port=service)
            reply = conntrack.Tuple(src=server, dst=client, proto=17, src_port=service, dst_port=port)
            ct.create(conntrack.Flow(orig=orig, reply=reply, timeout=300, mark=i % 5))


def specs() -> None:
    """Specifications of rtnetlink, and an interface eth0."""
    pytest.importorskip("yaml")
    if "rt-link" not in ynl.available():
        pytest.skip("there are no specs: install linux-doc-6.12, or set YNL_SPECS")
    link()


def ports() -> None:
    """A pair of virtual Ethernet devices: eth0 with 4 queues of each kind, and eth1."""
    with nlctrl.dial() as ctrl:
        try:
            operations = ctrl.get_family("netdev").operations or ()
        except FileNotFoundError as error:
            pytest.skip(str(error))
    if netdev.Command.NAPI_SET not in {operation.id for operation in operations}:
        pytest.skip("this kernel's netdev has no settings of NAPI")
    if netns.in_user_namespace():
        pytest.skip("set_napi needs CAP_NET_ADMIN in the initial user namespace")
    run_shell(
        "ip link add eth0 numrxqueues 4 numtxqueues 4 type veth peer name eth1 numrxqueues 1 numtxqueues 1\n"
        "ip link set eth0 up\n"
        "ip link set eth1 up\n"
    )


def accounted() -> None:
    """The machine's first network namespace, in which nothing is changed."""
    first = netns.first()
    with taskstats.dial(delays=False) as tasks:
        try:
            tasks.get(pid=1)
        except OpError as error:
            pytest.skip(f"taskstats: {error.hint}")
    netns.setns(first)


def first_namespaces() -> None:
    """The machine's first network namespace, in which nothing is changed, and processes that are reported there."""
    first = netns.first()
    try:
        connector.processes(netns=first).close()
    except OpError as error:
        pytest.skip(f"no events of processes: {error}")
    netns.setns(first)


def logged() -> None:
    """The machine's first network namespace, in which nothing is changed, and its audit log."""
    first = netns.first()
    try:
        audit.listen(netns=first).close()
        with audit.dial() as system:
            system.status()
    except OpError as error:
        pytest.skip(f"no audit log: {error}")
    netns.setns(first)


def monitored() -> None:
    """The machine's first network namespace, and its drop monitor."""
    netns.setns(require_monitor())


def paths() -> None:
    """Sockets of Multipath TCP, and an empty cache of TCP metrics."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).close()
    except OSError as error:
        pytest.skip(f"this kernel has no sockets of MPTCP: {error}")
    with tcp_metrics.dial() as cache:
        try:
            cache.flush()
        except OpError as error:
            pytest.skip(f"tcp_metrics: {error.hint}")


def networks() -> None:
    """Names of network namespaces, and links that have no addresses of their own."""
    netns.names_folder()
    netns.sysctl("net.ipv6.conf.default.disable_ipv6", 1)


def gateways() -> None:
    """Names of network namespaces, and a kernel with ESP."""
    netns.names_folder()
    with xfrm.dial() as ipsec:
        require_esp(ipsec)


def switched() -> None:
    require_openvswitch()
    with route.dial() as rt:
        for name in ("eth1", "eth2"):
            rt.create(Link(name=name, kind="dummy"))


def tagged_and_bonded() -> None:
    """Links of the kinds that a kernel may lack."""
    with route.dial() as rt:
        made = rt.create(Link(name="br9", kind="bridge"))
        try:
            rt.update(Link(index=made.index, kind="bridge", data=Bridge(vlan_filtering=1)))
            rt.create(Link(name="vlan9", kind="vlan", link=made.index, data=Vlan(id=9)))
            rt.create(Link(name="bond9", kind="bond"))
            rt.delete(Link(name="bond9"))
        except OpError as error:
            pytest.skip(f"links: {error}")
        finally:
            rt.delete(made)


def thermometer() -> None:
    """The machine's first network namespace, and a bus of 1-Wire with the slave of the page."""
    if not Path("/sys/bus/w1/devices/28-000000000001").exists():
        pytest.skip("there is no bus of 1-Wire: test_w1 has one for the page")
    netns.setns(netns.first())


def simulated_card() -> None:
    """netdevsim's first card, in this network namespace, and a file of firmware."""
    require_netdevsim()
    bus = Path("/sys/bus/netdevsim")
    if (bus / "devices/netdevsim1").exists():
        (bus / "del_device").write_text("1")
    (bus / "new_device").write_text("1 2")
    Path("card.bin").write_bytes(b"firmware")
    Path("/sys/module/firmware_class/parameters/path").write_text(str(Path.cwd()))


GIVEN: dict[str, Callable[[], None]] = {
    "asyncio.md": logged_and_tracked,
    "audit.md": logged,
    "batches.md": services,
    "conntrack.md": netns.require_conntrack,
    "devlink.md": simulated_card,
    "drops.md": monitored,
    "from-bindings.md": logged_and_tracked,
    "from-nfqueue.md": queued,
    "from-pyroute2.md": netns.require_conntrack,
    "crypto.md": require_changes,
    "errors.md": netns.require_conntrack,
    "ethtool.md": ports,
    "namespaces.md": netns.names_folder,
    "nbd.md": lambda: netns.setns(require_nbd()),
    "nflog.md": netns.require_conntrack,
    "nfqueue.md": require_rewriting,
    "ipsec.md": gateways,
    "ipvs.md": require_ipvs,
    "l2tp.md": require_l2tp,
    "index.md": lambda: flows(3),
    "openvswitch.md": switched,
    "performance.md": lambda: flows(300),
    "processes.md": first_namespaces,
    "route.md": networks,
    "schema.md": link,
    "taskstats.md": accounted,
    "tcp.md": paths,
    "tour.md": conntrack_sysctls,
    "nlmon.md": require_nlmon,
    "vlans.md": tagged_and_bonded,
    "w1.md": thermometer,
    "wifi.md": network_nearby,
    "wireguard.md": require_wireguard,
    "ynl.md": specs,
}


LIBRARIES = ("numpy", "duckdb", "polars", "pyarrow", "pandas")


@pytest.fixture(scope="module", autouse=True)
def pools(request: pytest.FixtureRequest) -> None:
    """Threads that libraries start and keep are no leak of a page. They may only start behind `enter_private`.

    A guest, in which they take long, tests pages without them.
    """
    chosen = [page for page in PAGES if any(item.name == f"test_page[{page}]" for item in request.session.items)]
    if not any(name in (DOCS / page).read_text() for page in chosen for name in LIBRARIES):
        return
    numpy = pytest.importorskip("numpy")
    table = {"a": numpy.arange(3)}
    for name in ("duckdb", "polars", "pyarrow"):
        if importlib.util.find_spec(name) is None:
            continue
        library: Any = importlib.import_module(name)
        if name == "duckdb":
            library.sql("select 1").fetchall()
        elif name == "polars":
            library.DataFrame(table).group_by("a").agg(library.len())
        else:
            importlib.import_module("pyarrow.parquet").write_table(library.table(table), io.BytesIO())


def test_the_family_of_the_guide_is_type_checked() -> None:
    module = max(blocks("schema.md"), key=lambda block: len(block.code)).code
    assert len(module.splitlines()) < 80
    assert module in (Path(__file__).parents[1] / "typing/neighbours.py").read_text()


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ELSEWHERE])
def test_page(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    GIVEN.get(page, lambda: None)()
    names: dict[str, Any] = {"__name__": f"docs_{Path(page).stem}"}
    for block in blocks(page):
        printed = run_python(page, block, names) if block.language == "python" else run_shell(block.code)
        where = f"{page}:{block.line}"
        if block.output is None:
            assert not printed, f"{where} prints what the page does not show"
        else:
            assert matches(block.output, printed), f"{where} prints\n{printed}\nand the page says\n{block.output}"
