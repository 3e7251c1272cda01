"""The course on JupyterHub: a demo for one machine, and what a real class needs instead."""
