"""Serves `hello` from this process."""

from prefect import serve

from hello import hello

if __name__ == "__main__":
    serve(
        hello.to_deployment("served", parameters={"name": "server"}, interval=3600),
        hello.to_deployment("twin"),
        limit=2,
    )
