"""Files that are either there as a whole or not at all, whatever happens while they are written."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from generation.errors import StorageFull


@contextmanager
def write_whole(target: Path) -> Iterator[BinaryIO]:
    """A binary file that takes the name `target` when the block ends well, and vanishes when it does not.

    Raises StorageFull when the disk cannot take it.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull(str(target.parent)) from error
        raise
    finally:
        partial.unlink(missing_ok=True)
