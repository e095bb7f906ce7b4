"""Parameters of estimators as typed fields with a default and constraints."""

import dataclasses
import inspect
from numbers import Integral, Real
from typing import Any, ClassVar, dataclass_transform

from skdeep.utils._sklearn import Interval

#: Constraints that many parameters have.
POSITIVE_INTEGER = Interval(Integral, 1, None, closed="left")
POSITIVE = Interval(Real, 0, None, closed="neither")
NON_NEGATIVE = Interval(Real, 0, None, closed="left")
#: In [0, 1), such as the rate of dropout.
BELOW_ONE = Interval(Real, 0, 1, closed="left")


def param(
    *constraints: Any,
    default: Any = dataclasses.MISSING,
    kw_only: bool | None = None,
    data: bool | None = None,
    lifted: bool | None = None,
) -> Any:
    """Declare a parameter in the body of a class.

    Arguments that are omitted are inherited: a subclass that only changes the default writes
    ``lr: float = param(default=1e-4)``.

    Parameters
    ----------
    *constraints : object
        Constraints as in scikit-learn's ``_parameter_constraints``.
    default : object
        Default value, which must be immutable; without it the parameter is required. Type checkers
        recognize it only as a keyword argument.
    kw_only : bool, default=True
        Whether the parameter must be passed by keyword.
    data : bool, default=False
        Whether validation and scaling of the data depend on the parameter. Estimators of one class
        with equal values of all such parameters share validated and scaled samples.
    lifted : bool, default=False
        Whether the parameter may differ between nets that are trained as one stack.
    """
    given = {"constraints": constraints or None, "data": data, "lifted": lifted}
    return dataclasses.field(
        default=default,
        kw_only=dataclasses.MISSING if kw_only is None else kw_only,
        metadata={name: value for name, value in given.items() if value is not None},
    )


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(param,))
class Parameters:
    """Base of all classes that declare parameters with ``param``.

    A subclass gets ``_parameter_constraints`` and an ``__init__`` that only stores its parameters,
    as scikit-learn requires. In the signature, the parameters of a class come before those of its
    base classes.
    """

    _declared: ClassVar[dict[str, dict[str, Any]]] = {}
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}
    #: parameters on which validated and scaled data depend
    _data_parameters: ClassVar[tuple[str, ...]] = ()
    #: parameters that may differ between the nets of a stack
    _lifted_parameters: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._declared = _own_fields(cls)
        _make_init(cls)
        described = _described(cls)
        constraints = {
            name: list(one["constraints"])
            for name, one in described.items()
            if "constraints" in one
        }
        cls._parameter_constraints = (
            _foreign_constraints(cls) | constraints | vars(cls).get("_parameter_constraints", {})
        )
        cls._data_parameters = tuple(name for name, one in described.items() if one.get("data"))
        cls._lifted_parameters = frozenset(n for n, one in described.items() if one.get("lifted"))


def _described(cls):
    """Collect the declarations of each parameter from a class and its bases."""
    described: dict[str, dict[str, Any]] = {}
    for base in reversed(cls.__mro__):
        for name, metadata in vars(base).get("_declared", {}).items():
            described[name] = described.get(name, {}) | metadata
    return described


def _foreign_constraints(cls):
    """Collect the constraints of base classes that declare parameters as in scikit-learn."""
    constraints: dict[str, list[Any]] = {}
    for base in reversed(cls.__mro__[1:]):
        if not issubclass(base, Parameters):
            constraints |= vars(base).get("_parameter_constraints", {})
    return constraints


def _own_fields(cls):
    """Return the metadata of the parameters that a class declares.

    A redeclared parameter stays positional if it was before.
    """
    inherited: dict[str, dataclasses.Field] = {}
    for base in reversed(cls.__mro__[1:]):
        inherited |= vars(base).get("__dataclass_fields__", {})
    declared = {}
    for name, own in vars(cls).items():
        if isinstance(own, dataclasses.Field):
            declared[name] = dict(own.metadata)
            if own.kw_only is dataclasses.MISSING and name in inherited:
                own.kw_only = inherited[name].kw_only
        elif name in inherited and not callable(own) and not hasattr(own, "__get__"):
            raise TypeError(
                f"{cls.__name__} must declare another default of {name!r} by "
                f"{name}: ... = param(default={own!r}); got a plain class attribute."
            )
    return declared


def _make_init(cls):
    """Give a class an ``__init__`` for its parameters, unless it has or inherits another one."""
    inherited = next(
        (vars(one)["__init__"] for one in cls.__mro__ if "__init__" in vars(one)), None
    )
    is_own = not (inherited is object.__init__ or hasattr(inherited, "__signature__"))
    if is_own and cls._declared and "__init__" not in vars(cls):
        raise TypeError(
            f"{cls.__name__} must not declare parameters by param where it inherits an __init__ "
            "that is written by hand; write one for it, too."
        )
    annotations = inspect.get_annotations(cls)
    # other annotations declare no parameters
    cls.__annotations__ = {name: annotations.get(name, Any) for name in cls._declared}
    dataclasses.dataclass(init=not is_own, kw_only=True, eq=False, repr=False)(cls)
    cls.__annotations__ = annotations
    if not is_own:
        _reorder_signature(cls)


def _reorder_signature(cls):
    """Put the parameters of a class before those of its bases in the signature."""
    introduced: dict[str, tuple[int, int]] = {}
    for depth, base in enumerate(cls.__mro__):
        for place, name in enumerate(vars(base).get("_declared", {})):
            introduced[name] = depth, place  # the last base that declares it
    signature = inspect.signature(cls.__init__)
    parameters = list(signature.parameters.values())
    keywords = [one for one in parameters if one.kind is one.KEYWORD_ONLY]
    positional = parameters[: len(parameters) - len(keywords)]
    keywords.sort(key=lambda one: introduced[one.name])
    cls.__init__.__signature__ = signature.replace(parameters=positional + keywords)
