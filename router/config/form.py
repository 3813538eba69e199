"""What every part of the routing file's form shares, and the parts that many others use."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from router.config.fields import (
    FilePath,
    Label,
    LayerFilePath,
    ObjectName,
    Variable,
)
from router.core.routing import ReceiverType

DEFAULT_NAMESPACE = "flux-system"
DEFAULT_RECEIVER_TYPE: ReceiverType = "generic-hmac"
"""The only type without a provider's own rules that signs what it is sent."""


class Form(BaseModel):
    """A mapping of the routing file: known keys only, nothing converted, never changed."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        strict=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    is_reference: ClassVar[bool] = False
    """Whether the mapping stands for a secret, so that what is in it is never repeated."""


class FileRef(Form):
    """A file; a relative path starts at the routing file's folder."""

    is_reference = True

    file: FilePath = Field(description="Path of the file.")


class SecretRef(Form):
    """A secret, by reference: exactly one of `file` and `env`."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})
    is_reference = True

    file: FilePath | None = Field(
        default=None,
        description="Path of a file that holds the secret; relative to the routing file's folder.",
    )
    env: Variable | None = Field(
        default=None, description="Name of an environment variable that holds the secret."
    )


class TokenRef(Form):
    """A receiver's token, by reference: exactly one of `file` and `env`."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})
    is_reference = True

    file: LayerFilePath | None = Field(
        default=None,
        description="Path of a file that holds the token; `{layer}` becomes the layer's name.",
    )
    env: Variable | None = Field(
        default=None, description="Name of an environment variable that holds the token."
    )


class ReceiverDefaults(Form):
    """What the receivers of one cluster have in common."""

    namespace: Label = Field(
        default=DEFAULT_NAMESPACE, description="Namespace of the Flux Receivers."
    )
    name: ObjectName = Field(
        default="{layer}",
        description="Name of a layer's Flux Receiver; `{layer}` becomes the layer's name.",
    )
    type: ReceiverType = Field(
        default=DEFAULT_RECEIVER_TYPE, description="The Receivers' `spec.type`."
    )
    token: TokenRef | None = Field(
        default=None,
        description="The Receivers' token, used byte for byte. For generic-oidc: the file that "
        "holds the bearer token, read anew for each call.",
    )


class ReceiverOverride(Form):
    """What one layer's receiver has different from its cluster's defaults."""

    namespace: Label | None = Field(default=None, description="Namespace of the Flux Receiver.")
    name: ObjectName | None = Field(default=None, description="Name of the Flux Receiver.")
    type: ReceiverType | None = Field(default=None, description="The Receiver's `spec.type`.")
    token: TokenRef | None = Field(
        default=None,
        description="The Receiver's token. Between generic-oidc and the other types it is not "
        "taken over from the cluster.",
    )


RECEIVER_KEYS = frozenset(ReceiverOverride.model_fields)
