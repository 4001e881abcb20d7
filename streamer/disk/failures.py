"""What to tell when the system refuses a file: what happened, where, and what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from streamer.errors import StorageError

_ADVICE = {
    errno.ELOOP: "it is a symbolic link, and those are not followed here; remove it or choose another target",
    errno.EISDIR: "remove it or choose another target",
    errno.EACCES: "change the permissions or choose another target",
    errno.EPERM: "change the permissions or choose another target",
    errno.ENAMETOOLONG: "choose a shorter template",
    errno.ENOSPC: "make room or choose another target",
    errno.EDQUOT: "make room or choose another target",
    errno.EROFS: "choose a target that can be written",
    errno.ENFILE: "close other programs, or lower the concurrency",
    errno.EMFILE: "raise the limit of open files (ulimit -n) or lower the concurrency",
    errno.ENOLCK: "its filesystem has no locks, so choose a target on another one",
    errno.EOPNOTSUPP: "its filesystem has no locks, so choose a target on another one",
}


def cannot_use(path: Path, error: OSError) -> StorageError:
    """What to tell when a file cannot be opened."""
    if error.errno == errno.ENOTDIR:
        file = next((parent for parent in path.parents if parent.exists() and not parent.is_dir()), path.parent)
        return StorageError(
            f"{path} cannot be used: {file} is a file where a directory should be; "
            f"move it away or choose another target"
        )
    advice = _ADVICE.get(error.errno or 0, "choose another target")
    return StorageError(f"{path} cannot be used: {error.strerror}; {advice}")


def cannot_write(path: Path, error: OSError, kept: str) -> StorageError:
    """What to tell when the disk does not take what is written: why, how much room it has, what is `kept`."""
    try:
        filesystem = os.statvfs(path.parent)
    except OSError as unknown:
        room = f"how much room is left is unknown ({unknown.strerror})"
    else:
        room = f"{filesystem.f_bavail * filesystem.f_frsize:,} bytes are free on its filesystem"
    code = errno.errorcode.get(error.errno or 0, str(error.errno))
    return StorageError(
        f"{path} could not be written: {error.strerror} ({code}); {room}; put that right and run the same again: {kept}"
    )


def lacks_files(error: BaseException) -> bool:
    """Whether something failed because too many files are open, in this process or in all: that passes."""
    reason: BaseException | None = error
    while reason is not None:
        if isinstance(reason, OSError) and reason.errno in (errno.EMFILE, errno.ENFILE):
            return True
        reason = reason.__cause__
    return False


def lost_its_name(path: Path) -> StorageError:
    """What to tell when a name leads to another file than the one that was written."""
    return StorageError(
        f"{path} is no longer the file that was written here: it, or a directory above it, was moved, replaced or "
        f"removed meanwhile, so nothing was made final; see what else works in {path.parent} (an editor, a program "
        f"that synchronises) and run the same again"
    )
