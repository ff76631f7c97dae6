"""A failing call of libiip is an OSError with its errno, and of the class that Python has for that errno."""

from __future__ import annotations

import os

from ._ffi import ffi, lib
from .constants import Status, StatusClass


class Error(OSError):
    """Any failure; `status` is the library's number, `kind` what can be done about it."""

    status: int
    kind: StatusClass

    @property
    def name(self) -> str:
        """The stable name of the status: "IIP_E_RESET"."""
        return status_name(self.status)


class StaleHandleError(Error, RuntimeError):
    """The handle is closed, released or foreign."""


class WrongThreadError(Error, RuntimeError):
    """Only the thread that is attached to the loop may do that."""


class ForkedError(Error, RuntimeError):
    """The object belongs to the parent of this process."""


_OWN: dict[int, type[Error]] = {
    Status.E_STALE: StaleHandleError,
    Status.E_WRONG_THREAD: WrongThreadError,
    Status.E_FORKED: ForkedError,
}


def status_name(status: int) -> str:
    return str(ffi.string(lib.iip_status_name(status)).decode())


def status_text(status: int) -> str:
    return str(ffi.string(lib.iip_status_text(status)).decode())


def _class_of(status: int) -> type[Error]:
    """Ours for ours, else one that is an Error and Python's own class for the errno (ConnectionResetError ...)."""
    found = _OWN.get(status)
    if found is None:
        python = type(OSError(lib.iip_status_errno(status), ""))
        name = "Error" if python is OSError else python.__name__
        found = Error if python is OSError else type(name, (Error, python), {"__module__": __name__})
        _OWN[status] = found
    return found


def error_of(status: int, why: str | None = None) -> Error:
    """The exception for a status; `why` says more than the library's sentence."""
    errno = lib.iip_status_errno(status)
    text = why or status_text(status) or os.strerror(errno)
    error = _class_of(status)(errno, f"{text} [{status_name(status)}]")
    error.status = status
    error.kind = StatusClass(lib.iip_status_class(status))
    return error


def check(status: int) -> int:
    """The status itself if it is a success, else the exception."""
    if status < 0:
        raise error_of(status)
    return status
