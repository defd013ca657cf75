"""Families from specs on the real kernel, against iproute2 and ethtool."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from netlink import HeaderFlags, OpError, ynl
from netlink.family import dial, dial_async
from netlink.generic import nlctrl
from netlink.ynl import __main__ as command
from pace import SLOWNESS

NEW = HeaderFlags.CREATE | HeaderFlags.EXCL


def load(name: str) -> Any:
    pytest.importorskip("yaml")
    if name not in ynl.available():
        pytest.skip(f"there is no spec {name}: install linux-doc-6.12, or set YNL_SPECS")
    return ynl.load(name)


def short(family: Any, record: Any) -> dict[str, Any]:
    """A record as a mapping, with the names of newer specs, which have no prefixes."""
    return {name.removeprefix("ifa-").removeprefix("rta-"): value for name, value in family.to_dict(record).items()}


def spelled(family: Any, content: dict[str, Any]) -> dict[str, Any]:
    """A request with the names of an address's attributes in this spec."""
    known = family.spec.attributes("addr-attrs")
    return {
        name if name in known or f"ifa-{name}" not in known else f"ifa-{name}": value for name, value in content.items()
    }


NEW_ADDRESS = {"ifa-family": 2, "ifa-prefixlen": 32, "ifa-index": 1, "local": "192.0.2.1"}


def tool(*arguments: str) -> Any:
    """What a tool prints as JSON, in this thread's namespace."""
    if shutil.which(arguments[0]) is None:
        pytest.skip(f"there is no {arguments[0]}")
    run = subprocess.run(arguments, capture_output=True, text=True, timeout=20 * SLOWNESS, check=False)
    if run.returncode:
        pytest.skip(f"{' '.join(arguments)}: {run.stderr.strip()}")
    return json.loads(run.stdout or "[]")


def ip(*arguments: str) -> None:
    """Change something by ip or tc."""
    name, *others = arguments if arguments[0] in ("tc", "bridge") else ("ip", *arguments)
    if shutil.which(name) is None:
        pytest.skip(f"there is no {name}")
    run = subprocess.run([name, *others], capture_output=True, text=True, timeout=20 * SLOWNESS, check=False)
    if run.returncode:
        pytest.skip(f"{name} {' '.join(others)}: {run.stderr.strip()}")


# rtnetlink


def test_links_are_those_of_ip() -> None:
    family = load("rt-link")
    ip("link", "add", "br0", "type", "bridge", "forward_delay", "400")
    ip("link", "add", "v0", "type", "veth", "peer", "name", "v1")
    ip("link", "set", "v0", "master", "br0", "up")
    ip("link", "set", "v0", "type", "bridge_slave", "mcast_flood", "off")
    with dial(family) as links:
        found = {link.ifname: family.to_dict(link) for link in links.getlink.dump()}
        one = links.getlink.do(ifname="v0")
    known = {one["ifname"]: one for one in tool("ip", "-j", "-d", "-s", "link")}
    assert found.keys() == known.keys()
    for name, link in found.items():
        other = known[name]
        assert link["ifi-index"] == other["ifindex"]
        assert (link["mtu"], link["txqlen"], link["group"]) == (other["mtu"], other["txqlen"], 0)
        assert (link["address"], link["broadcast"]) == (other["address"], other["broadcast"])
        assert (link["num-tx-queues"], link["gso-max-size"]) == (other["num_tx_queues"], other["gso_max_size"])
        assert link["qdisc"] == other["qdisc"]
        assert {flag for flag in link["ifi-flags"] if isinstance(flag, str)} >= {"loopback"} & {
            flag.lower() for flag in other["flags"]
        }
        assert link["stats64"]["rx-packets"] == other["stats64"]["rx"]["packets"]
        assert link.get("linkinfo", {}).get("kind") == other.get("linkinfo", {}).get("info_kind")
    bridge, its = found["br0"]["linkinfo"]["data"], known["br0"]["linkinfo"]["info_data"]
    assert bridge["forward-delay"] == its["forward_delay"] == 400
    assert bridge["hello-time"] == its["hello_time"]
    port, its = found["v0"]["linkinfo"]["slave-data"], known["v0"]["linkinfo"]["info_slave_data"]
    assert (port["mcast-flood"], port["learning"], port["bcast-flood"]) == (0, 1, 1)
    assert (port["priority"], port["cost"]) == (its["priority"], its["cost"])
    assert not any(link["linkinfo"].get("data", {}).get("unknown") for link in found.values() if "linkinfo" in link)
    assert one.ifname == "v0"
    assert one.master == found["br0"]["ifi-index"]


def test_a_vlan_has_its_mappings() -> None:
    family = load("rt-link")
    ip("link", "add", "v0", "type", "veth", "peer", "name", "v1")
    ip("link", "add", "link", "v1", "name", "v1.5", "type", "vlan", "id", "5", "egress-qos-map", "1:2", "3:4")
    with dial(family) as links:
        vlan = links.getlink.do(ifname="v1.5").linkinfo.data
    assert vlan.id == 5
    assert [(one.from_, one.to) for one in vlan.egress_qos.mapping] == [(1, 2), (3, 4)]


def test_a_link_is_made_by_a_mapping() -> None:
    family = load("rt-link")
    with dial(family) as links:
        links.newlink.do(ifname="br7", linkinfo={"kind": "bridge", "data": {"max-age": 1000}}, nlmsg_flags=NEW)
        assert links.getlink.do(ifname="br7").linkinfo.data.max_age == 1000
        with pytest.raises(FileExistsError):
            links.newlink.do(ifname="br7", linkinfo={"kind": "bridge"}, nlmsg_flags=NEW)
        index = links.getlink.do(ifname="br7").ifi_index
        links.dellink.do({"ifi-index": index})
        with pytest.raises(OpError):
            links.getlink.do(ifname="br7")
    assert [one["ifname"] for one in tool("ip", "-j", "link")] == ["lo"]


def test_a_change_has_a_reply_if_it_is_asked_for() -> None:
    """Newer specs list the reply that the kernel sends for NLM_F_ECHO alone."""
    load("rt-link")
    family: Any = ynl.load("rt-link", overrides={"operations": {"list": {"newlink": {"do": {"reply": {}}}}}})
    with dial(family) as links:
        assert links.newlink.do(ifname="br7", linkinfo={"kind": "bridge"}, nlmsg_flags=NEW) is None
        echoed = links.newlink.do(ifname="br8", linkinfo={"kind": "bridge"}, nlmsg_flags=NEW | HeaderFlags.ECHO)
        with pytest.raises(FileExistsError):
            links.newlink.do(ifname="br7", linkinfo={"kind": "bridge"}, nlmsg_flags=NEW)
        one = links.getlink.do(ifname="br8")
        if echoed is None:
            pytest.skip("the kernel does not send new links for NLM_F_ECHO")
    assert (echoed.ifname, echoed.ifi_index) == ("br8", one.ifi_index)


def test_a_copy_of_a_link_is_a_request() -> None:
    family = load("rt-link")
    ip("link", "add", "v0", "type", "veth", "peer", "name", "v1")
    with dial(family) as links:
        link = links.getlink.do(ifname="v0")
        content = family.to_dict(link)
        assert family.to_dict(family.values.record(type(link), content)) == {
            name: value for name, value in content.items() if name != "unknown"
        }


def test_addresses_are_those_of_ip() -> None:
    family = load("rt-addr")
    for address in ("192.0.2.1/24", "2001:db8::1/64"):
        ip("address", "add", address, "dev", "lo")
    known = {
        (address["local"], address["prefixlen"])
        for link in tool("ip", "-j", "address")
        for address in link["addr_info"]
    }
    with dial(family) as addresses:
        found = addresses.getaddr.dump()
        with pytest.raises(OpError, match="No such device"):
            addresses.newaddr.do(spelled(family, {**NEW_ADDRESS, "ifa-index": 77}))
    shown = [short(family, one) for one in found]
    assert {(one.get("local", one["address"]), one["prefixlen"]) for one in shown} == known
    one = next(one for one in shown if one.get("local") == "192.0.2.1")
    assert one["flags"] == ["permanent"]
    assert one["cacheinfo"]["ifa-valid"] == 0xFFFFFFFF


def test_routes_are_those_of_ip() -> None:
    family = load("rt-route")
    for prefix in ("192.0.2.0/24", "198.51.100.0/25"):
        ip("route", "add", prefix, "dev", "lo", "metric", "7", "mtu", "1400")
    ip("-6", "route", "add", "2001:db8::/32", "dev", "lo")
    with dial(family) as routes:
        shown = [short(family, route) for route in routes.getroute.dump({"rtm-family": 2})]
        both = len(routes.getroute.dump())
    found = {f"{one['dst']}/{one['rtm-dst-len']}": one for one in shown if one["rtm-type"] == "unicast"}
    known = {one["dst"]: one for one in tool("ip", "-j", "-4", "route", "show", "table", "main")}
    assert found.keys() == known.keys()
    assert all(route["priority"] == known[name]["metric"] == 7 for name, route in found.items())
    assert all(1400 in route["metrics"].values() for route in found.values())
    assert both > len(found)


def test_neighbours_and_rules_are_those_of_ip() -> None:
    neighbours, rules = load("rt-neigh"), load("rt-rule")
    ip("link", "add", "d0", "type", "veth", "peer", "name", "d1")
    ip("link", "set", "d0", "up")
    ip("neighbour", "add", "192.0.2.7", "lladdr", "02:00:00:00:00:07", "dev", "d0", "nud", "permanent")
    with dial(neighbours) as opened:
        found = [
            family_dict for one in opened.getneigh.dump({"ndm-family": 2}) if (family_dict := neighbours.to_dict(one))
        ]
    assert [(one["dst"], one["lladdr"], one["ndm-state"]) for one in found] == [
        ("192.0.2.7", "02:00:00:00:00:07", ["permanent"])
    ]
    ip("rule", "add", "from", "192.0.2.0/24", "table", "100", "priority", "50")
    ip("-6", "rule", "add", "to", "2001:db8::/32", "table", "100", "priority", "60")
    with dial(rules) as opened:
        made = {rule.priority: rule for rule in opened.getrule.dump()}
    assert (str(made[50].src), made[50].header.src_len, made[50].table) == ("192.0.2.0", 24, 100)
    assert (str(made[60].dst), made[60].header.dst_len) == ("2001:db8::", 32)


def test_qdiscs_are_those_of_tc() -> None:
    family = load("tc")
    ip("link", "add", "d0", "type", "veth", "peer", "name", "d1")
    ip("link", "set", "d0", "up")
    ip("tc", "qdisc", "add", "dev", "d0", "root", "handle", "1:", "htb", "default", "10")
    ip("tc", "class", "add", "dev", "d0", "parent", "1:", "classid", "1:10", "htb", "rate", "1mbit", "burst", "15k")
    ip("tc", "qdisc", "add", "dev", "d0", "parent", "1:10", "handle", "10:", "pfifo", "limit", "77")
    known = {one["handle"]: one for one in tool("tc", "-j", "-s", "qdisc", "show", "dev", "d0")}
    with dial(family) as opened:
        index = next(one["ifindex"] for one in tool("ip", "-j", "link") if one["ifname"] == "d0")
        found = {f"{one.handle >> 16:x}:": one for one in opened.getqdisc.dump() if one.ifindex == index}
        (htb,) = [one for one in opened.gettclass.dump({"ifindex": index}) if one.kind == "htb"]
    assert {handle: one.kind for handle, one in found.items()} == {h: one["kind"] for h, one in known.items()}
    assert found["10:"].options.limit == known["10:"]["options"]["limit"] == 77
    assert found["1:"].options.init.defcls == 0x10
    assert found["10:"].stats2.basic.packets == known["10:"]["packets"]
    assert found["10:"].stats2.queue.qlen == known["10:"]["qlen"]
    assert htb.options.parms.rate.rate == 125_000


# Generic netlink


@contextlib.contextmanager
def opened(family: Any) -> Iterator[Any]:
    """The family, if the kernel has it."""
    with dial(family) as one:
        try:
            yield one
        except FileNotFoundError as error:
            pytest.skip(f"the kernel has no {family.spec.name}: {error}")


def test_features_are_those_of_ethtool() -> None:
    family = load("ethtool")
    ip("link", "add", "v0", "type", "veth", "peer", "name", "v1")
    (known,) = tool("ethtool", "--json", "-k", "v0")
    with opened(family) as ethtool:
        features = family.to_dict(ethtool.features_get.do(header={"dev-name": "v0"}))
        state = ethtool.linkstate_get.do(header={"dev-name": "v0"})
        devices = [link.header.dev_name for link in ethtool.linkmodes_get.dump()]
    active = {bit["name"] for bit in features["active"]["bits"].get("bit", ())}
    changeable = {bit["name"] for bit in features["hw"]["bits"]["bit"] if bit.get("value")}
    changeable -= {bit["name"] for bit in features["nochange"]["bits"].get("bit", ())}
    # ethtool has groups and older names of features beside the kernel's.
    names = {bit["name"] for bit in features["hw"]["bits"]["bit"]} & known.keys()
    assert len(names) > 20
    assert active & names == {name for name in names if known[name]["active"]}
    assert changeable & names == {name for name in names if not known[name]["fixed"]}
    assert state.link == 0
    assert {"v0", "v1"} <= set(devices)


def test_a_refusal_names_what_is_missing() -> None:
    with opened(load("ethtool")) as ethtool:
        with pytest.raises(OpError) as caught:
            ethtool.features_get.do()
        if caught.value.missing is None:
            pytest.skip("the kernel does not report which attribute is missing")
        assert caught.value.attribute == "header"
        with pytest.raises(OpError) as caught:
            ethtool.features_get.do(header={"dev-name": "none"})
        assert (caught.value.attribute, caught.value.errno) == ("header.dev_name", errno.ENODEV)


def test_families_are_those_of_genl() -> None:
    family = load("nlctrl")
    if shutil.which("genl") is None:
        pytest.skip("there is no genl")
    text = subprocess.run(["genl", "ctrl", "list"], capture_output=True, text=True, check=True).stdout
    known = dict(re.findall(r"^Name: (\S+)\n\tID: (0x[0-9a-f]+)", text, re.M))
    with opened(family) as controller:
        found = {one.family_name: one for one in controller.getfamily.dump()}
        policies = controller.getpolicy.dump(family_name="nlctrl")
    assert {name: f"{one.family_id:#x}" for name, one in found.items()} == known
    shown = family.to_dict(found["nlctrl"])
    assert [one["name"] for one in shown["mcast-groups"]] == ["notify"]
    assert {one["id"] for one in shown["ops"]} == {3, 10}
    assert len(policies) > 1


def test_endpoints_are_those_of_ip() -> None:
    family = load("mptcp-pm")
    with opened(family) as endpoints:
        new = {"addr": {"family": 2, "addr4": "192.0.2.1", "id": 7, "flags": 2}}  # MPTCP_PM_ADDR_FLAG_SUBFLOW
        try:
            endpoints.add_addr.do(new)
        except PermissionError:
            pytest.skip("the kernel lets nobody in a user namespace add endpoints")
        found = [family.to_dict(one)["addr"] for one in endpoints.get_addr.dump()]
    known = tool("ip", "-j", "mptcp", "endpoint", "show")
    assert [(one["address"], one["id"], one["subflow"]) for one in known] == [("192.0.2.1", 7, True)]
    assert [(one["addr4"], one["id"], one["flags"]) for one in found] == [("192.0.2.1", 7, 2)]


def test_a_family_that_is_not_there_is_a_missing_file() -> None:
    content = {
        "name": "nobody",
        "attribute-sets": [{"name": "set", "attributes": [{"name": "number", "type": "u32"}]}],
        "operations": {"list": [{"name": "get", "attribute-set": "set", "do": {"request": {}, "reply": {}}}]},
    }
    family: Any = ynl.load(content)
    with pytest.raises(FileNotFoundError, match="nobody"), dial(family) as opened:
        opened.get.do()


def without_unknown(content: Any) -> Any:
    """A mapping of a record without what a request cannot have."""
    if isinstance(content, list):
        return [without_unknown(one) for one in content]
    if not isinstance(content, dict):
        return content
    return {name: without_unknown(value) for name, value in content.items() if name != "unknown"}


@pytest.mark.parametrize("name", ynl.available() or ["none"])
def test_every_family_of_the_kernel_answers(name: str) -> None:
    """Dumps without arguments end, and their records are mappings and requests."""
    family = load(name)
    ip("link", "add", "v0", "type", "veth", "peer", "name", "v1")
    ip("link", "set", "v0", "up")
    if not family.spec.is_raw:
        with nlctrl.dial() as controller:
            try:
                controller.get_family(family.spec.name)
            except FileNotFoundError as error:
                pytest.skip(f"the kernel has no {name}: {error}")
    answered = 0
    with dial(family) as asked:
        for operation, one in family.spec.operations.items():
            if one.set is None or (one.dump is None and not operation.startswith("get")):
                continue
            try:
                found = asked.dump(operation)
            except OpError:  # the operation needs a device or a part of the kernel
                continue
            for record in found:
                content = json.loads(json.dumps(family.to_dict(record)))
                again = family.values.record(type(record), content)
                assert json.loads(json.dumps(family.to_dict(again))) == without_unknown(content)
            answered += 1
    if not answered:
        pytest.skip(f"the kernel answers no dump of {name} without arguments")


# Events


def test_events_name_their_operation() -> None:
    family = load("rt-addr")
    with dial(family) as addresses, addresses.listen("rtnlgrp-ipv4-ifaddr") as stream:
        new = spelled(family, NEW_ADDRESS)
        addresses.newaddr.do(new, nlmsg_flags=NEW)
        addresses.deladdr.do(new)
        first, second = next(stream), next(stream)
    assert [(one.event.name, short(family, one)["local"]) for one in (first, second)] == [
        ("NEWADDR", "192.0.2.1"),
        ("DELADDR", "192.0.2.1"),
    ]


def test_events_of_a_group_that_an_older_spec_leaves_out() -> None:
    family = load("ethtool")
    ip("link", "add", "v0", "type", "veth", "peer", "name", "v1")
    header = {"dev-name": "v0"}
    with dial(family) as devices, devices.listen("monitor") as stream:
        name = "tx-generic-segmentation"
        devices.features_set.do(header=header, wanted={"bits": {"bit": [{"name": name}]}})
        event = next(stream)
    assert event.event.name == "FEATURES_NTF"
    assert event.header.dev_name == "v0"
    assert family.to_dict(event)["wanted"]


def test_only_the_wanted_events_come() -> None:
    family = load("rt-addr")
    with dial(family) as addresses, addresses.listen(only=["deladdr"]) as stream:
        new = spelled(family, NEW_ADDRESS)
        addresses.newaddr.do(new, nlmsg_flags=NEW)
        addresses.deladdr.do(new)
        assert next(stream).event == family.declarations.event.DELADDR


def test_an_event_loop_awaits_operations() -> None:
    family = load("rt-link")

    async def main() -> None:
        async with dial_async(family) as links:
            assert [link.ifname for link in await links.getlink.dump()] == ["lo"]
            assert (await links.getlink.do(ifname="lo")).ifi_index == 1
            names = [link.ifname async for part in links.getlink.iter_dump(rows=1) for link in part]
            assert names == ["lo"]

    asyncio.run(main())


# The command line


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[Any], str]:
    status = command.main([*arguments])
    out, err = capsys.readouterr()
    return status, [json.loads(line) for line in out.splitlines()], err


def test_the_command_prints_a_record_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    family = load("rt-addr")
    request = json.dumps(spelled(family, NEW_ADDRESS))
    assert printed(capsys, "do", "rt-addr", "newaddr", "--create", "--excl", request) == (0, [], "")
    status, out, err = printed(capsys, "do", "rt-addr", "newaddr", "--create", "--excl", request)
    assert (status, out) == (1, [])
    assert "error: " in err
    status, out, _ = printed(capsys, "dump", "rt-addr", "getaddr")
    assert status == 0
    assert any(json.loads(request).items() <= one.items() for one in ({**one, "flags": 0} for one in out))
    status, out, err = printed(capsys, "do", "rt-addr", "newaddr", '{"ifa-idnex": 1}')
    assert (status, out) == (2, [])
    assert err.startswith("error: ifa-idnex: there is no such attribute; did you mean ifa-index")


def test_the_command_reads_a_request(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    load("rt-link")
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO('{"ifname": "lo"}'))
    status, (link,), _ = printed(capsys, "do", "rt-link", "getlink", "-")
    assert (status, link["ifname"], link["ifi-index"]) == (0, "lo", 1)


def test_the_command_listens(capsys: pytest.CaptureFixture[str]) -> None:
    load("rt-link")
    run = subprocess.Popen(
        [sys.executable, "-m", "netlink.ynl", "listen", "rt-link", "rtnlgrp-link", "--count", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stderr is not None
    assert run.stderr.readline() == "listening to rtnlgrp-link\n"
    ip("link", "set", "lo", "mtu", "1400")
    out, err = run.communicate(timeout=20 * SLOWNESS)
    (line,) = out.splitlines()
    assert (run.returncode, err) == (0, "")
    assert json.loads(line)["name"] in ("newlink-ntf", "newlink")
    assert json.loads(line)["msg"]["mtu"] == 1400
    assert printed(capsys, "listen", "rt-link", "--idle", "0.01")[:2] == (0, [])
