"""What systemd is told, and how often it wants to hear that we are alive. Silent where it did not start us."""

import os
import socket


def sd_notify(message: str) -> bool:
    """Tell systemd, where it asked to be told. Source: sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address[0] == "@":
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
        notify.sendto(message.encode(), address)
    return True


def watchdog_interval() -> float | None:
    """Half of systemd's patience, in seconds; `None` where it does not watch us."""
    patience = os.environ.get("WATCHDOG_USEC", "")
    return int(patience) / 1_000_000 / 2 if patience.isdigit() and int(patience) > 0 else None
