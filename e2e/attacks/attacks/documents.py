"""The two OpenAPI documents as tables of operations: what is there, who may ask, what it takes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from .deployment import ROOT

FOLDER = ROOT / "schemas/openapi"
# One that the deployment's route names.
PRODUCT = "consumer_instalment"
METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")


@dataclass(frozen=True)
class Operation:
    """One operation of a document."""

    server: str
    id: str
    method: str
    path: str
    roles: frozenset[str]
    success: int
    parameters: tuple[tuple[str, str], ...]
    takes_body: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_public(self) -> bool:
        """Whether it asks for no token: then it tells everybody the same."""
        return not self.roles

    def filled(self, application_id: str) -> str:
        """Its path, about an application or a product."""
        return self.path.replace("{application_id}", application_id).replace("{product}", PRODUCT)


def document(server: str) -> dict:
    """A document as committed."""
    return json.loads((FOLDER / f"{server}.json").read_text())


def roles(text: dict) -> frozenset[str]:
    """Every role that a document names."""
    return frozenset().union(*(operation.roles for operation in operations_of(text, "")))


def operations(server: str) -> list[Operation]:
    """The operations of `door` or `read-api`."""
    return list(operations_of(document(server), server))


def operations_of(text: dict, server: str) -> Iterator[Operation]:
    for path, item in text["paths"].items():
        shared = item.get("parameters", [])
        for method in METHODS:
            if method not in item:
                continue
            operation = item[method]
            # Any one of the alternatives opens the operation; an empty list means no token.
            security = operation.get("security", text.get("security", []))
            success = [int(code) for code in operation["responses"] if code.startswith("2")]
            named = [resolved(text, parameter) for parameter in [*shared, *operation.get("parameters", [])]]
            yield Operation(
                server,
                operation["operationId"],
                method.upper(),
                path,
                frozenset(role for alternative in security for scopes in alternative.values() for role in scopes),
                success[0],
                tuple((parameter["in"], parameter["name"]) for parameter in named),
                "requestBody" in operation,
            )


def resolved(text: dict, value: dict) -> dict:
    """What a reference within the document points to."""
    while "$ref" in value:
        target: object = text
        for step in value["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        value = target
    return value
