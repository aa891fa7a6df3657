"""Errors that a user can mend."""


class UserError(Exception):
    """Unusable input or arguments.

    The message names the file, the row or column, and the way to mend it. The
    command line prints it as one line and exits with 2; pages show it in place.
    """


class NotEstimable(ValueError):
    """A statistic is undefined on this data; the message is the reason shown to the user."""
