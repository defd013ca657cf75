"""Types of traffic control, for mypy and pyright."""

from __future__ import annotations

from typing import assert_type

from netlink import route
from netlink.route import tc
from netlink.schema import Batch


def records() -> None:
    qdisc = tc.Qdisc(index=3, parent="root", handle=0x10000, options=tc.Htb.qdisc(0x20))
    assert_type(qdisc.parent, tc.Handle | None)
    tc.Filter(index=3, options=tc.Flower(ip_proto=6, classid="1:10", actions=[tc.Action(options=tc.Gact())]))
    tc.Qdisc(index="3")  # type: ignore[arg-type] # pyright: ignore
    tc.Qdisc(parnet="root")  # type: ignore[call-arg] # pyright: ignore
    if isinstance(qdisc.options, tc.Htb):
        assert_type(qdisc.options.rate64, int | None)
    with route.dial() as rt:
        assert_type(rt.create(qdisc), tc.Qdisc)
        assert_type(rt.dump(tc.Class, index=3), Batch[tc.Class])
