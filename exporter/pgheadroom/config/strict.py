"""Refuses values that pydantic would convert by mistake, such as true for a number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, get_args

from pydantic import BaseModel, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

SEVERAL = "several"
"""The type of an error that holds several problems, each a line of its own."""


def several(problems: Sequence[str]) -> PydanticCustomError:
    """Return the error that holds *problems*."""
    return PydanticCustomError(SEVERAL, "several problems", {"problems": [*problems]})


class Strict(BaseModel):
    """Settings that refuse these, and what does not go together: all of it at once."""

    @field_validator("*", mode="before")
    @classmethod
    def _as_meant(cls, value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - of every setting
        annotation = cls.model_fields[str(info.field_name)].annotation
        kinds = {annotation, *get_args(annotation)}
        if isinstance(value, bool) and kinds & {int, float}:
            raise PydanticCustomError("truth", "true and false are not numbers")
        if value == "" and kinds & {Path, str} and type(None) in kinds:
            raise PydanticCustomError("empty", "an empty text names nothing")
        return value

    def misfits(self) -> list[str]:
        """Say what does not go together; each model adds its own to those of its bases."""
        return []

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if problems := self.misfits():
            raise several(problems)
        return self
