"""`run`, `demo` and `simulate`: placeholders until the daemon stands."""


def run() -> None:
    """Watch, in the foreground, until told to stop."""
    raise NotImplementedError


def demo() -> None:
    """A simulated Azure and the real cycles against it; needs no account."""
    raise NotImplementedError


def simulate() -> None:
    """Only the simulated Azure."""
    raise NotImplementedError
