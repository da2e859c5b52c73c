"""What is said of a deployment whose tag wants it to be kept, and does not say until when."""

from collections.abc import Iterator

from watcher.resources.deployment import KEEP_TAG, Deployment, unreadable_keep_tag

#: A tag's value may be 256 characters long.
_LONGEST = 60


def keep_doubt(deployment: Deployment) -> Iterator[str]:
    """That its tag is without effect, as a clause; nothing where it has none, or one that can be read."""
    if text := unreadable_keep_tag(deployment):
        shown = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
        yield (
            f'its tag {KEEP_TAG} says "{shown}", which is no date (as 2026-12-31) or time in RFC 3339, so the tag '
            "keeps nothing"
        )
