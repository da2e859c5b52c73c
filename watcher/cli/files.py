"""Writing what a command was asked to put into a file."""

import os
from pathlib import Path

from watcher.errors import Refused


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; what is no file, as `/dev/stdout`, is written to as it is.

    Raises:
        Refused: it cannot be written.
    """
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(content)
            return
        try:
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                part.chmod(target.stat().st_mode & 0o777)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as exc:
        raise Refused(f"{path} cannot be written ({exc.strerror or type(exc).__name__}); name another file") from exc
