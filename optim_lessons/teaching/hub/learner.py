"""What a hub starts for each learner: JupyterLab on the copy of the course in the learner's home.

It runs as the learner, so that the files are the learner's own, here or in a container:
python -m optim_lessons.teaching.hub.learner
"""

import os
import sys
from pathlib import Path

from optim_lessons.course.copies.upgrade import update
from optim_lessons.course.kernels import prepare_environment
from optim_lessons.course.open_command import without_news


def main(argv):
    """Copy the lessons that are missing, then serve the current folder until the hub ends it."""
    prepare_environment()
    update(Path.cwd())
    from jupyterlab.labhubapp import SingleUserLabApp  # needs JupyterHub, which only the extra `hub` brings

    class Lab(SingleUserLabApp):
        def page_config_hook(self, handler, page):
            return without_news(handler, super().page_config_hook(handler, page))

    arguments = [
        "--LabApp.extension_manager=readonly"
    ]  # the other one asks the network what it could install
    if os.geteuid() == 0:
        arguments.append("--allow-root")  # JupyterLab asks for it before it runs as root
    Lab.launch_instance([*arguments, *argv])


if __name__ == "__main__":
    main(sys.argv[1:])
