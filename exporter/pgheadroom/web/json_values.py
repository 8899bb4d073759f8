"""Names the types of what the API answers: JSON's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Json = Mapping[str, "Json"] | Sequence["Json"] | str | int | float | bool | None
View = dict[str, Json]
