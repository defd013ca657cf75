"""The texts of audit records: KEY=VALUE, with values in quotes, in hexadecimal digits, or plain."""

from __future__ import annotations

import re

__all__ = ["fields_of"]

# A value is in double quotes, in single ones (a text of a program), in braces (as of AVCs), or ends at a space.
_PAIR = re.compile(r"""(?<![\w\[\].:-])([A-Za-z_][\w\[\].:-]*)=(?:"([^"]*)"|'([^']*)'?|(\{[^}]*\})|(\S*))""")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_ARGUMENT = re.compile(r"a\d+(?:\[\d+\])?")
# Keys whose values are encoded if they have special characters: those of audit_log_untrustedstring in the kernel and of
# audit_encode_nv_string in programs.
_ENCODED = {
    "acct", "apparmor", "cgroup", "cmd", "comm", "cwd", "data", "denied_mask", "device", "dir", "exe", "file",
    "grp", "info", "invalid_context", "key", "name", "new-chardev", "new-disk", "new-fs", "new-net",
    "old-chardev", "old-disk", "old-fs", "old-net", "operation", "path", "proctitle", "profile",
    "requested_mask", "root_dir", "sw", "target", "vm", "watch",
}  # fmt: skip


def fields_of(text: str, *, executed: bool = False) -> dict[str, str]:
    """The values of a text by their keys. executed: whether it has the arguments of a program."""
    found: dict[str, str] = {}
    for key, quoted, message, braced, plain in _PAIR.findall(text):
        if message and key == "msg":
            for inner, value in fields_of(message).items():
                found.setdefault(inner, value)
            continue
        encoded = key in _ENCODED or (executed and _ARGUMENT.fullmatch(key) is not None)
        if plain and encoded and _HEX.fullmatch(plain):
            plain = bytes.fromhex(plain).decode("utf-8", "surrogateescape")
        found.setdefault(key, quoted or message or braced or plain)
    return found
