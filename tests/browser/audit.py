"""What is wrong with a page: by `audit.js`, and by the tree that the browser gives to screen readers."""

from pathlib import Path
from typing import Any

from playwright.async_api import Page

_AUDIT = Path(__file__).with_name("audit.js").read_text(encoding="utf-8")
#: Roles of which each needs a name.
_NAMED = {"button", "link", "textbox", "searchbox", "checkbox", "radio", "combobox", "listbox", "switch", "slider"}
_NAMED |= {"spinbutton", "DisclosureTriangle", "heading", "columnheader", "dialog", "progressbar", "meter"}
_NAMED |= {"image", "img", "navigation"}


async def audit(page: Page) -> list[str]:
    """What is wrong with the page as it is shown now; a sentence each."""
    found: list[str] = await page.evaluate(_AUDIT)
    return found


async def nameless(page: Page) -> list[str]:
    """What the browser tells screen readers of without a name."""
    session = await page.context.new_cdp_session(page)
    nodes: list[dict[str, Any]] = (await session.send("Accessibility.getFullAXTree"))["nodes"]
    await session.detach()
    return [
        f"a {_value(node, 'role')} without a name"
        for node in nodes
        if not node["ignored"] and _value(node, "role") in _NAMED and not _value(node, "name").strip()
    ]


def _value(node: dict[str, Any], key: str) -> str:
    return str(node.get(key, {}).get("value", ""))
