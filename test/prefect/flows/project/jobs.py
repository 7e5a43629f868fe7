from prefect import flow


@flow
def import_orders(day: str, size: int = 10) -> str:
    """Imports a day's orders."""
    return f"{day}: {size}"


@flow
def tidy_up() -> None:
    pass
