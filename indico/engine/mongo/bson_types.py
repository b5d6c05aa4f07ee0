"""`Decimal` and `date` in documents: how MongoDB stores them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions, TypeDecoder, TypeEncoder, TypeRegistry
from bson.decimal128 import Decimal128
from bson.raw_bson import RawBSONDocument

__all__ = ["ENCODERS", "OPTIONS", "RAW", "TYPES"]


class _DecimalEncoder(TypeEncoder):
    """`Decimal` as MongoDB's Decimal128, which has 34 digits."""

    python_type = Decimal

    def transform_python(self, value: Decimal) -> Decimal128:
        return Decimal128(value)


class _DecimalDecoder(TypeDecoder):
    bson_type = Decimal128

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


# PyMongo decodes each reply twice if its client has a decoder, which made a read a tenth dearer.
ENCODERS = TypeRegistry([_DecimalEncoder(), _DateEncoder()])
TYPES = TypeRegistry([_DecimalEncoder(), _DateEncoder(), _DecimalDecoder()])

OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(
    tz_aware=True, uuid_representation=UuidRepresentation.STANDARD, type_registry=TYPES
)
# For documents that stay bytes until `OPTIONS` decodes them.
RAW = OPTIONS.with_options(document_class=RawBSONDocument, type_registry=ENCODERS)
