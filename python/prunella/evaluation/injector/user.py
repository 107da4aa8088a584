"""Who disturbs: another user than the stack's, where this process may become one."""

import os
import pwd
import subprocess
import sys
from functools import cache
from typing import Any


@cache
def as_nobody() -> dict[str, Any]:
    """Arguments of `subprocess.Popen` that make the child another user; none where that cannot be.

    The child has to load this package, so that `nobody` must be able to read it: asked by trying.
    """
    if os.geteuid() != 0:
        return {}
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return {}
    user: dict[str, Any] = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    try:
        tried = subprocess.run(
            [sys.executable, "-c", "import prunella.evaluation.injector.path"],
            capture_output=True,
            timeout=20,
            check=False,
            **user,
        )
    except OSError:
        return {}
    return user if tried.returncode == 0 else {}
