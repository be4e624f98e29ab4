"""Enclose: shut this very process in, with nothing but a few folders to change.

For code of our own that acts on one place: should it err, it can change nothing else. There is no
control group and no new root, so that it works wherever Landlock or namespaces do.
"""

from __future__ import annotations

import errno
import os

from opsmith.backends.sandbox import kernel, landlock, root, seccomp

_SPACES = kernel.NEW_MOUNTS | kernel.NEW_NET | kernel.NEW_IPC | kernel.NEW_UTS
# What root needs to keep the owner of a file that it replaces: CAP_CHOWN, CAP_DAC_OVERRIDE,
# CAP_FOWNER; all else on this host is read-only by then.
_KEPT = (0, 1, 3)
# CAP_DAC_READ_SEARCH, below which Landlock still says what may be read.
_READ_ANY = 2


def enclose(*, seen: list[str], changed: list[str]) -> list[str]:
    """Let this process see `seen` and change what is below `changed`; what holds, in words.

    Raises `OSError` when a step fails, or neither mounts nor Landlock can be had.
    """
    held = _shut_in(seen, changed, _KEPT if os.geteuid() == 0 else ())
    seccomp.refuse_calls()
    return [*held, "seccomp", "no new privileges"]


def enclose_line(*, seen: list[str], secrets: list[str], changed: list[str]) -> list[str]:
    """Let this process see `seen` and `secrets`, change what is below `changed`, start no program.

    secrets: files that root may read although they belong to somebody else.
    What it reaches it reaches by handles that it has or is passed: it can make no socket. It dies
    with whoever started it. Raises as `enclose` does.
    """
    kept = (_READ_ANY,) if secrets and os.geteuid() == 0 else ()
    held = _shut_in([*seen, *secrets], changed, kept)
    seccomp.refuse_calls(also=seccomp.STARTS)
    kernel.die_with_parent()
    return [*held, "seccomp", "no new privileges", "no program", "no socket of its own"]


def _shut_in(seen: list[str], changed: list[str], kept: tuple[int, ...]) -> list[str]:
    held = []
    if _shut_mounts(changed):
        held.append("namespaces (mount, net, ipc, uts)")
    kernel.drop_capabilities(kernel.last_capability(), kept=kept)
    kernel.gain_nothing()
    version = landlock.allow_only(seen=[*seen, *root.DEVICES], changed=changed)
    if version:
        held.append(f"Landlock {version}")
    if not held:
        raise OSError(errno.ENOSYS, "neither Landlock (Linux 5.13) nor user namespaces are here")
    if not seccomp.is_known(kernel.MACHINE):
        raise OSError(errno.ENOSYS, f"there is no list of system calls for {kernel.MACHINE}")
    return held


def _shut_mounts(changed: list[str]) -> bool:
    """Make all of the host read-only here but what may be changed; False where it is forbidden."""
    uid, gid = os.geteuid(), os.getegid()
    try:
        if uid:
            kernel.unshare(_SPACES | kernel.NEW_USER)
            kernel.map_ids(uid, gid)
        else:
            kernel.unshare(_SPACES)
    except OSError:
        return False
    kernel.mount(None, "/", kernel.RECURSIVE | kernel.SLAVE)
    trees = [(path, kernel.tree_of(path)) for path in changed]
    kernel.set_attributes("/", kernel.ATTR_RDONLY, flags=kernel.AT_RECURSIVE)
    for path, tree in trees:
        kernel.put_tree(tree, path, kernel.ATTR_NOSUID | kernel.ATTR_NODEV)
    return True
