"""Stubs for boto3 and botocore: widely used helpers import them and almost never call them.
Must not know AWS; whatever would reach the network raises a clear error instead."""
from __future__ import annotations

from typing import Any, NoReturn


class AwsNotAvailable(RuntimeError):
    """A rule asked AWS for something."""


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise AwsNotAvailable("rules have no access to AWS: use a lookup table of pack.yaml, or the stateful helpers")


class Config:
    """`botocore.config.Config(...)` at module level must work; it is only ever handed to a client."""

    def __init__(self, *_: Any, **options: Any) -> None:
        self.__dict__.update(options)


class BotoCoreError(Exception):
    pass


class ClientError(Exception):
    def __init__(self, error_response: Any = None, operation_name: str = "") -> None:
        self.response = error_response or {}
        self.operation_name = operation_name
        super().__init__(f"{operation_name}: {self.response}")


class _Condition:
    __init__ = _refuse


MODULES: dict[str, dict[str, Any]] = {
    "boto3": {"client": _refuse, "resource": _refuse, "Session": _refuse, "setup_default_session": _refuse},
    "boto3.session": {"Session": _refuse},
    "boto3.dynamodb": {},
    "boto3.dynamodb.conditions": {"Key": _Condition, "Attr": _Condition},
    "botocore": {},
    "botocore.config": {"Config": Config},
    "botocore.exceptions": {"BotoCoreError": BotoCoreError, "ClientError": ClientError},
}
