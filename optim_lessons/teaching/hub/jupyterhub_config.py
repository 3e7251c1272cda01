"""JupyterHub for a trial: several people, one machine, each with a copy of the course of their own.

Start it:                 optim-lessons hub --get-proxy     (later: optim-lessons hub)
Or, as any other hub:     jupyterhub -f "$(optim-lessons hub --config)"
To change it, copy it:    cp "$(optim-lessons hub --config)" .

A DEMO. Every learner's code runs as the user who started the hub, with no limits: a learner can read and
change the files of all others, yours too. (Started by root, it gives each learner a user of their own, where
that user can read the course.) It listens on this machine only. What a class needs instead is
at the end of this file.
"""

import os
import secrets
import sys
from pathlib import Path

from optim_lessons.teaching.hub import somebody

c = get_config()  # noqa: F821  JupyterHub defines it

# Everything that the hub writes is in one folder, which other users of this machine cannot open.
os.umask(0o077)
folder = Path(os.environ.get("OPTIM_LESSONS_HUB", "optim-lessons-hub")).absolute()
folder.mkdir(mode=0o700, parents=True, exist_ok=True)
c.JupyterHub.db_url = f"sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = f"{folder}/cookie_secret"
c.JupyterHub.pid_file = f"{folder}/hub.pid"
c.ConfigurableHTTPProxy.pid_file = f"{folder}/proxy.pid"

# 127.0.0.1 is this machine. Learners come in through the port 8000; the hub and its proxy talk on the others.
c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:8001"
c.JupyterHub.hub_port = 8081

# Any name may log in with one password for all, which is made at the first start.
password = folder / "password.txt"
if not password.exists():
    password.touch(mode=0o600)
    password.write_text(secrets.token_hex(4), encoding="utf-8")
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = password.read_text(encoding="utf-8").strip()
c.Authenticator.allow_all = True
# A learner's name becomes a folder's name: letters and digits of any language, dots, dashes, at most 32.
c.Authenticator.username_pattern = r"\w[\w.-]{0,31}\Z"

# A learner's server is a process on this machine; its home is learners/NAME, with the notebooks in it.
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = f"{folder}/learners/{{username}}"
# If root has started it: learners get through to their own homes, and to nothing else.
if not somebody.why_not(folder):
    folder.chmod(0o711)
    c.JupyterHub.spawner_class = somebody.spawner()
# It copies the lessons that are missing, overwrites nothing that a learner has changed, and opens the first.
c.Spawner.cmd = [sys.executable, "-m", "optim_lessons.teaching.hub.learner"]
c.Spawner.default_url = "/lab/tree/00_start_here.ipynb"
# A busy machine takes its time; the page shows a bar meanwhile.
c.Spawner.http_timeout = 120

# When the hub ends, by Control-C or by a signal, the learners' servers and kernels end with it.
c.JupyterHub.cleanup_servers = True

# What a class needs instead. Take these lines into a configuration of your own, one after the other.
#
# 1. Encryption: without it, everybody on the network reads passwords and answers.
#    c.JupyterHub.bind_url = "https://:443"
#    c.JupyterHub.ssl_cert = "/etc/ssl/hub.pem"
#    c.JupyterHub.ssl_key = "/etc/ssl/hub.key"
#
# 2. Real accounts: the school's own login, and a list of who may come in. pip install oauthenticator
#    c.JupyterHub.authenticator_class = "generic-oauth"
#    c.Authenticator.allowed_users = {"ada", "grace"}
#    c.Authenticator.admin_users = {"teacher"}
#
# 3. A wall around each learner, with limits. One machine: containers (dockerspawner), or Linux accounts
#    (systemdspawner). Many machines: Kubernetes, with Zero to JupyterHub.
#    c.JupyterHub.spawner_class = "docker"
#    c.DockerSpawner.image = "an image with optim_lessons and the same jupyterhub in it"
#    c.DockerSpawner.volumes = {"course-{username}": "/home/learner"}
#    c.DockerSpawner.notebook_dir = "/home/learner"
#    c.Spawner.cmd = ["python", "-m", "optim_lessons.teaching.hub.learner"]
#    c.Spawner.mem_limit = "2G"
#    c.Spawner.cpu_limit = 1.0
#
# 4. A course that learners cannot change: install it as an administrator, or into the image, and let only
#    the home folder be writable.
#
# 5. Answers elsewhere. `optim-lessons check` compares with answers that stand in plain text in the installed
#    package: whoever can open a terminal can read them. For exercises that count, give marks by
#    `optim-lessons grade`, on a machine that learners cannot reach, and for what can be explained aloud.
#
# 6. An end for what is idle: closed lessons keep their kernels, and learners go home without a word.
#    c.Spawner.args = [
#        "--MappingKernelManager.cull_idle_timeout=1800",
#        "--MappingKernelManager.cull_interval=300",
#    ]
#    and for whole servers: pip install jupyterhub-idle-culler
#    c.JupyterHub.load_roles = [{
#        "name": "cull-idle",
#        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
#        "services": ["cull-idle"],
#    }]
#    c.JupyterHub.services = [{
#        "name": "cull-idle",
#        "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600"],
#    }]
