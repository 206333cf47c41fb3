"""What is simulated: labelled patterns, the sweep over their laws, and how it is run. Light to import."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from simnn import sweeps
from simnn.sweeps import Integer, Number, Run, Strict

ENSEMBLES = ("gaussian", "rademacher", "relu", "threshold", "winners", "given")
"""What makes components of drives: nothing, the sign, the positive part, a threshold, a competition; or given data."""

SOLVERS = ("auto", "newton", "nearest")
"""Finite Newton, with nearest point where it fails; or one of the two alone."""


class Experiment(Strict):
    """Random patterns with random labels; every field may be swept.

    Components of a pattern are a code of *drives*: standard normal numbers, one for each component.

    Attributes
    ----------
    dimension : int
        Components N of a pattern.
    load : float
        Patterns per dimension; their number is the nearest integer to ``load * dimension``.
    ensemble : {"gaussian", "rademacher", "relu", "threshold", "winners", "given"}
        What components are: the drives; their signs; their positive parts; 1 where a drive exceeds a threshold, 0
        elsewhere; 1 for the largest drives of a pattern, 0 for the others; or those of patterns that are given.
    activity : float
        Of thresholds, probability that a component is 1; of winners, their fraction: the nearest integer to ``activity
        * dimension`` of them. Other ensembles do without.
    correlation : float
        Of any two drives of a pattern: they share one of the normal numbers they are made of.
    inputs : int
        If not zero, drives are random combinations of so many independent inputs, drawn for each set of patterns.
    claws : int
        If not zero, a combination has equal weights on so many of the inputs, else random normal weights on all.
    extent : int
        If not zero, there are balls of this dimension instead of patterns: a pattern is the centre of one, and the
        verdict is on all of its points. Gaussian patterns without a margin or constraints only.
    radius : float
        Radius of the balls, over the distance of their centres from the origin.
    bias : bool
        Whether the unit has a threshold, free as the weights are.
    coding_level : float
        Probability of the label +1.
    margin : float
        Distance from the hyperplane that all patterns must keep, for patterns of length ``sqrt(dimension)``.
    constrained : float
        Fraction of the weights that must be positive, or zero if there is a margin; their number is the nearest integer
        to ``constrained * dimension``.
    solver : {"auto", "newton", "nearest"}
        Which solver decides strict separability: finite Newton, with nearest point where it fails, or one alone.
    """

    dimension: Annotated[Integer, Field(ge=1, le=2**20)] = 100
    load: Annotated[Number, Field(gt=0.0, le=2.0**20)] = 2.0
    ensemble: Literal["gaussian", "rademacher", "relu", "threshold", "winners", "given"] = "gaussian"
    activity: Annotated[Number, Field(gt=0.0, lt=1.0)] = 0.5
    correlation: Annotated[Number, Field(ge=0.0, lt=1.0)] = 0.0
    inputs: Annotated[Integer, Field(ge=0, le=2**20)] = 0
    claws: Annotated[Integer, Field(ge=0, le=2**20)] = 0
    extent: Annotated[Integer, Field(ge=0, le=2**16)] = 0
    radius: Annotated[Number, Field(ge=0.0, le=1e6)] = 0.0
    bias: Annotated[bool, Field(strict=True)] = False
    coding_level: Annotated[Number, Field(ge=0.0, le=1.0)] = 0.5
    margin: Annotated[Number, Field(ge=0.0, le=1e6)] = 0.0
    constrained: Annotated[Number, Field(ge=0.0, le=1.0)] = 0.0
    solver: Literal["auto", "newton", "nearest"] = "auto"

    @property
    def patterns(self) -> int:
        """Number of patterns."""
        return round(self.load * self.dimension)

    @property
    def positive_weights(self) -> int:
        """Number of weights that must be positive."""
        return round(self.constrained * self.dimension)

    @property
    def winners(self) -> int:
        """Number of components that are 1, of winners."""
        return round(self.activity * self.dimension)

    @property
    def centred(self) -> bool:
        """Whether components are positive as often as negative; others serve as a threshold to some degree."""
        return self.ensemble in ("gaussian", "rademacher")


SWEPT = tuple(Experiment.model_fields)
"""Parameters that may be a scalar or a sequence."""

PARAMETERS = (*Experiment.model_fields, *Run.model_fields)
"""All parameters of ``simulate`` that are plain values."""


Sweep = sweeps.Sweep[Experiment, Run]
"""Experiments of a sweep, and how they are run."""


def sweep(parameters: Mapping[str, Any], available: int = 0) -> Sweep:
    """Validate parameters and expand their sequences.

    Parameters
    ----------
    parameters : mapping
        Fields of `Experiment`, each a scalar or a sequence of scalars, and of `Run`.
    available : int
        Number of patterns that are given.

    Returns
    -------
    Sweep

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    plan = sweeps.expand(Experiment, Run, parameters)
    for experiment in plan.experiments:
        _check_together(experiment)
        if experiment.ensemble == "given" and experiment.patterns > available:
            raise ValueError(
                f"load: {experiment.load!r} is not allowed: that is {experiment.patterns} patterns of {available}"
            )
    return plan


def _check_together(experiment: Experiment) -> None:
    """Refuse values that make no sense together."""

    def refuse(name: str, reason: str) -> None:
        raise ValueError(f"{name}: {getattr(experiment, name)!r} is not allowed {reason}")

    if experiment.patterns == 0:
        refuse("load", f"with dimension {experiment.dimension}: that is no pattern")
    if experiment.ensemble == "winners" and not 0 < experiment.winners < experiment.dimension:
        refuse("activity", f"with dimension {experiment.dimension}: {experiment.winners} winners make one pattern only")
    if experiment.inputs > 0 and experiment.correlation > 0.0:
        refuse("correlation", f"with inputs {experiment.inputs}: combinations of inputs have their own")
    if experiment.claws > experiment.inputs:
        refuse("claws", f"with inputs {experiment.inputs}: that is more than there are")
    if experiment.extent > 0:
        if experiment.ensemble != "gaussian":
            refuse("ensemble", f"with extent {experiment.extent}: balls have normal centres and directions")
        if experiment.margin > 0.0 or experiment.constrained > 0.0:
            refuse("extent", "with a margin, or constrained weights: balls have neither")
        if experiment.extent >= experiment.dimension:
            refuse("extent", f"with dimension {experiment.dimension}: balls must have fewer dimensions")
    elif experiment.radius > 0.0:
        refuse("radius", "with extent 0: patterns are points")
    if experiment.ensemble == "given" and (experiment.inputs > 0 or experiment.correlation > 0.0):
        refuse("ensemble", "with correlated drives, or inputs: given patterns have neither")


def without_cuda(experiment: Experiment) -> str | None:
    """What of an experiment the kernels of the GPU do not draw or decide.

    Parameters
    ----------
    experiment : Experiment
        A point of a sweep.

    Returns
    -------
    str or None
        Name and value of the parameter that stands in the way, and what it should be; None if nothing does.
    """
    allowed: dict[str, tuple[Any, ...]] = {
        "solver": ("auto", "newton"),
        "extent": (0,),
    }
    for name, values in allowed.items():
        if getattr(experiment, name) not in values:
            return f"with {name} {getattr(experiment, name)!r}, only with {' or '.join(map(repr, values))}"
    return None


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as ``simnn.capacity.simulate`` would, without running anything.

    Parameters
    ----------
    parameters : mapping
        Scalars, or sequences for swept parameters.

    Returns
    -------
    dict
        The same parameters with values of their own type: ``load=2`` becomes 2.0, sequences become lists.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    return sweep(parameters).validated(parameters)
