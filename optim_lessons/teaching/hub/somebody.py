"""Learners' servers as users of their own, on a hub that root has started: files and kernels get walls."""

import os
import subprocess
import sys
from pathlib import Path

FIRST = 61184  # users that no system gives a name
_NEEDED = "import jupyterhub, jupyterlab, optim_lessons"


def why_not(folder):
    """Return why another user cannot work in a hub's folder, with this Python; an empty text if one can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "only root can start programs as other users"
    if shut := [place for place in folder.parents if not place.stat().st_mode & 0o001]:
        return f"other users cannot go through {shut[0]}"
    try:
        done = subprocess.run(
            [sys.executable, "-c", _NEEDED],
            user=FIRST,
            group=FIRST,
            extra_groups=[],
            cwd="/",
            env={"PATH": os.defpath, "HOME": "/"},
            capture_output=True,
            check=False,
        )
    except OSError:
        return f"other users cannot read {sys.executable}"
    return f"other users cannot read the course in {sys.prefix}" if done.returncode else ""


def own_user(home):
    """Return the id of a learner's user, who owns the learner's home; make the home if it is not there."""
    home.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    home.parent.chmod(0o711)  # one may go through, and not look around
    if not home.exists():
        taken = [path.stat().st_uid for path in home.parent.iterdir()]
        home.mkdir(mode=0o700)
        user = max([FIRST, *(n + 1 for n in taken if n >= FIRST)])
        os.chown(home, user, user)
    return home.stat().st_uid


def spawner():
    """Return the class of a spawner that starts each learner's server as the learner's own user."""
    from jupyterhub.spawner import SimpleLocalProcessSpawner  # only the extra `hub` brings it

    class SomebodySpawner(SimpleLocalProcessSpawner):
        """Starts a server as the user who owns the learner's home."""

        def make_preexec_fn(self, name):
            home = Path(self.home_dir)
            user = own_user(home)

            def become():
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)
                os.chdir(home)

            return become

    return SomebodySpawner
