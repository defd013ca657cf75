"""What a filter of conntrack says, in plain Python: to compare with the kernel and the check in C."""

from __future__ import annotations

from netlink.netfilter.conntrack import Filter, Flow


def means(chosen: Filter, flow: Flow, events: bool = True) -> bool:
    """Whether the filter means the flow; events: heed its event."""

    def one(chosen: Filter, events: bool) -> bool:
        orig = flow.orig
        zone = flow.zone or orig.zone or flow.reply.zone or 0
        wanted = [
            chosen.mark is None or (flow.mark or 0) & (chosen.mark_mask or 0) == chosen.mark,
            chosen.status is None or int(flow.status or 0) & int(chosen.status_mask or 0) == chosen.status,
            chosen.zone is None or zone == chosen.zone,
            chosen.event is None or not events or bool(flow.event and flow.event in chosen.event),
        ]
        for name in ("proto", "src_port", "dst_port"):
            given = getattr(chosen, name)
            if given:
                value = getattr(orig, name)
                wanted.append(any(value in item if isinstance(item, range) else value == item for item in given))
        for name in ("src", "dst"):
            given = getattr(chosen, name)
            if given:
                wanted.append(any(getattr(orig, name) in network for network in given))
        for direction in ("orig", "reply"):
            tuple_ = getattr(chosen, direction)
            for name, value in tuple_.to_dict().items() if tuple_ else ():
                found = getattr(getattr(flow, direction), name)
                wanted.append((found or 0) == value if name == "zone" else found == value)
        return all(wanted)

    return one(chosen, events) and not any(one(other, True) for other in chosen.exclude)
