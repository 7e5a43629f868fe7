"""A flow that greets, with one task run for each number."""

from prefect import flow, task


@task
def double(number: int) -> int:
    print(f"doubling {number}")
    return number * 2


@flow(log_prints=True)
def hello(name: str = "you", numbers: int = 2) -> int:
    """Says hello."""
    print(f"hello {name}")
    return sum(double.map(range(numbers)).result())
