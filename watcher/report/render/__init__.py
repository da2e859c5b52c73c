"""A statement in each format. All are pure: the same statement gives the same bytes, and the same numbers in each."""

from collections.abc import Callable, Mapping

from watcher.report.render import csv, html, markdown, statement_record, text
from watcher.report.statement import Statement

FORMATS: Mapping[str, Callable[[Statement], str]] = {
    "text": text.render,
    "markdown": markdown.render,
    "html": html.render,
    "json": statement_record.render,
    "csv": csv.render,
}

__all__ = ["FORMATS"]
