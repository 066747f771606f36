"""Exception classes that a service of ours and one in Python both know."""


class HarnessError(Exception):
    """Base class, as every OpenStack project has one: keyword arguments fill the message."""

    message_format = "An unknown error occurred."

    def __init__(self, message=None, **kwargs):
        self.kwargs = kwargs
        super().__init__(message or self.message_format % kwargs)


class HostNotFound(HarnessError):
    message_format = "Host %(host)s could not be found."


class NotAnException:
    """A class that a failure may name, but that must never be built from one."""
