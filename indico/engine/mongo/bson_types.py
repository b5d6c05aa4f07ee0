"""`Decimal` and `date` in documents: how MongoDB stores them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from bson.codec_options import TypeCodec, TypeEncoder, TypeRegistry
from bson.decimal128 import Decimal128

__all__ = ["TYPES"]


class _DecimalCodec(TypeCodec):
    """`Decimal` as MongoDB's Decimal128, which has 34 digits, and back."""

    python_type = Decimal
    bson_type = Decimal128

    def transform_python(self, value: Decimal) -> Decimal128:
        return Decimal128(value)

    def transform_bson(self, value: Decimal128) -> Decimal:
        return value.to_decimal()


class _DateEncoder(TypeEncoder):
    """`date` as text, like `2026-01-31`.

    MongoDB's own date is a moment. A day is none, because it begins at another moment in each
    time zone. Texts have the same order as their days, so queries and sorts work.
    """

    python_type = date

    def transform_python(self, value: date) -> str:
        return value.isoformat()


TYPES = TypeRegistry([_DecimalCodec(), _DateEncoder()])
