"""Documents with fields that your code does not know."""

from indico.engine.json_document import DOCUMENT_REASONS, check_document, merge_patch, size_of

__all__ = ["DOCUMENT_REASONS", "check_document", "merge_patch", "size_of"]
