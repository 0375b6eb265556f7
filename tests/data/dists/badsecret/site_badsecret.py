"""A store of secrets that is down."""

from pacsfw import hookimpl


@hookimpl
def pacsfw_resolve_secret(scheme, reference):
    raise OSError("sesame")
