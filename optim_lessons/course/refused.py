"""What a command refuses."""


class Refused(Exception):
    """Why a command does not do what it was asked: what, why, then what to do, in words for its user."""

    status = 2  # with which the command ends
