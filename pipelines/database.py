"""Addresses of databases that are shared by many processes."""

from sqlalchemy.engine import make_url

POSTGRESQL = ("postgresql", "postgresql+psycopg2", "postgresql+psycopg")


def bounded(address: str, seconds: int) -> str:
    """A PostgreSQL address, of psycopg 3, that waits neither for a connection nor for a statement for ever.

    seconds: for a statement. What the address says itself stays, and so does an address of another kind.
    """
    if address.partition("://")[0] not in POSTGRESQL:
        return address
    url = make_url(address)
    limits = {"connect_timeout": "10", "options": f"-c statement_timeout={seconds}s"}
    added = {name: value for name, value in limits.items() if name not in url.query}
    driver = url.set(drivername="postgresql+psycopg")
    return driver.update_query_dict(added).render_as_string(hide_password=False)
