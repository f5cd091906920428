"""A folder for one test, short enough for UNIX sockets and open to unprivileged workers."""

import contextlib
import os
import shutil
import tempfile


@contextlib.contextmanager
def temporary_folder():
    path = tempfile.mkdtemp(prefix="postern-", dir="/tmp")
    os.chmod(path, 0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
