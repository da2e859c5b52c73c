"""What in a configuration is no mistake and may surprise; `check-config` prints it."""

from __future__ import annotations

from collections.abc import Callable

from watcher.config.models import TYPES_WITHOUT_REPORTS, Config

#: One line for each thing not done yet; the version that does it deletes its line.
_NOT_YET: tuple[tuple[str, Callable[[Config], bool]], ...] = ()


def warnings(config: Config) -> list[str]:
    """One line for each table or key in use that this version does not act on, and for what deserves a second look."""
    lines = [
        f"{what}: read, but not acted on by this version of watcher yet" for what, used in _NOT_YET if used(config)
    ]
    web = config.web
    if web.user_header is not None and not web.listen.is_loopback:
        lines.append(
            f"[web] user_header: {web.listen} is open to other machines, and whoever can send from "
            f"{' or '.join(web.proxies)} is believed to be any user; listen on 127.0.0.1 behind the proxy where you can"
        )
    types = {receiver.name: receiver.type for receiver in config.receivers}
    for number, owner in enumerate(config.owners):
        if config.reports and all(types.get(name) in TYPES_WITHOUT_REPORTS for name in owner.receivers):
            lines.append(
                f"owners[{number}].receivers: none of them takes reports, so {owner.name} gets no edition of them"
            )
    return lines
