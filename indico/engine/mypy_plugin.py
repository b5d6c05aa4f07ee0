"""A plugin of mypy: the fields that an update of a `Collection` may name, and their types.

mypy has no type for "some fields of this TypedDict". So the signatures of the updates say
`Mapping[str, Any]`. The plugin puts the fields of the collection's model in place of that type.
"""

from __future__ import annotations

from collections.abc import Callable

from mypy.nodes import DictExpr
from mypy.plugin import MethodSigContext, Plugin
from mypy.types import (
    AnyType,
    FunctionLike,
    Instance,
    LiteralType,
    Type,
    TypedDictType,
    TypeOfAny,
    UnionType,
    get_proper_type,
)

__all__ = ["plugin"]

_COLLECTION = ".mongo.collection.Collection."
_METHODS = {"update", "update_by_id", "update_one", "upsert"}
_NUMBERS = {"builtins.int", "builtins.float", "decimal.Decimal"}
_LISTS = {"builtins.list", "typing.Sequence"}

Change = Callable[[Type], Type | None]  # the type of a change of a field with a type, or None


class _CollectionPlugin(Plugin):
    def get_method_signature_hook(
        self, fullname: str
    ) -> Callable[[MethodSigContext], FunctionLike] | None:
        _, found, method = fullname.partition(_COLLECTION)
        return _signature if found and method in _METHODS else None


def _signature(context: MethodSigContext) -> FunctionLike:
    """Return the signature with the fields of the model, if the collection has one."""
    signature, collection = context.default_signature, get_proper_type(context.type)
    model = get_proper_type(collection.args[0]) if isinstance(collection, Instance) else None
    if not isinstance(model, TypedDictType):
        return signature
    types = list(signature.arg_types)
    for name, change in _CHANGES.items():
        if name in signature.arg_names:  # not each update has `set_on_insert`
            index = signature.arg_names.index(name)
            types[index] = _given(context, index, _partial(model, change))
    types[signature.arg_names.index("unset")] = _optional(model, context)
    return signature.copy_modified(arg_types=types)


def _partial(model: TypedDictType, change: Change) -> TypedDictType:
    """Return the model with those fields that can change so, all of which may be left out."""
    changes = {name: change(field) for name, field in model.items.items()}
    return model.copy_modified(
        fallback=model.create_anonymous_fallback(),
        item_types=[changed or model.items[name] for name, changed in changes.items()],
        item_names=[name for name, changed in changes.items() if changed],
        required_keys=set(),
    )


def _given(context: MethodSigContext, index: int, fields: TypedDictType) -> TypedDictType:
    """Return `fields`, or those of a TypedDict that is given for them and has fewer.

    To mypy a TypedDict without a field is not one in which this field may be left out.
    """
    for expression in context.args[index]:
        if isinstance(expression, DictExpr):
            continue
        given = get_proper_type(context.api.get_expression_type(expression))
        if isinstance(given, TypedDictType) and given.items.keys() <= fields.items.keys():
            names, required = list(given.items), set(given.required_keys)
            return fields.copy_modified(item_names=names, required_keys=required)
    return fields


def _optional(model: TypedDictType, context: MethodSigContext) -> Type:
    """Return a sequence of the names of the fields that a document need not have."""
    text = context.api.named_generic_type("builtins.str", [])
    literals = [LiteralType(name, text) for name in model.items if name not in model.required_keys]
    return context.api.named_generic_type("typing.Sequence", [UnionType.make_union(literals)])


def _of_kind(field: Type, kinds: set[str]) -> Instance | None:
    """Return the type `field`, or its member if it is a union, that is of one of these kinds."""
    proper = get_proper_type(field)
    for member in proper.items if isinstance(proper, UnionType) else [proper]:
        member = get_proper_type(member)
        if isinstance(member, Instance) and member.type.fullname in kinds:
            return member
    return None


def _item(field: Type) -> Type | None:
    found = _of_kind(field, _LISTS)
    return found.args[0] if found else None


def _condition(field: Type) -> Type | None:
    return AnyType(TypeOfAny.special_form) if _of_kind(field, _LISTS) else None


_CHANGES: dict[str, Change] = {
    "set": lambda field: field,
    "set_on_insert": lambda field: field,
    "inc": lambda field: _of_kind(field, _NUMBERS),
    "push": _item,
    "add_to_set": _item,
    "pull": _condition,
}


def plugin(_: str) -> type[Plugin]:
    """Return the plugin for any version of mypy."""
    return _CollectionPlugin
