"""What is simulated: labelled patterns, the sweep over their laws, and how it is run. Light to import."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from simnn import sweeps
from simnn.sweeps import Integer, Number, Strict

ENSEMBLES = ("gaussian", "rademacher")
"""Laws of the components of a pattern: standard normal, or +-1 with equal probability."""


class Experiment(Strict):
    """Random patterns with random labels; every field may be swept.

    Attributes
    ----------
    dimension : int
        Components N of a pattern.
    load : float
        Patterns per dimension; their number is the nearest integer to ``load * dimension``.
    ensemble : {"gaussian", "rademacher"}
        Law of the patterns.
    bias : bool
        Whether the unit has a threshold, free as the weights are.
    coding_level : float
        Probability of the label +1.
    margin : float
        Distance from the hyperplane that all patterns must keep, for patterns of length ``sqrt(dimension)``.
    constrained : float
        Fraction of the weights that must be positive, or zero if there is a margin; their number is the nearest integer
        to ``constrained * dimension``.
    """

    dimension: Annotated[Integer, Field(ge=1, le=2**20)] = 100
    load: Annotated[Number, Field(gt=0.0, le=2.0**20)] = 2.0
    ensemble: Literal["gaussian", "rademacher"] = "gaussian"
    bias: Annotated[bool, Field(strict=True)] = False
    coding_level: Annotated[Number, Field(ge=0.0, le=1.0)] = 0.5
    margin: Annotated[Number, Field(ge=0.0, le=1e6)] = 0.0
    constrained: Annotated[Number, Field(ge=0.0, le=1.0)] = 0.0

    @property
    def patterns(self) -> int:
        """Number of patterns."""
        return round(self.load * self.dimension)

    @property
    def positive_weights(self) -> int:
        """Number of weights that must be positive."""
        return round(self.constrained * self.dimension)


class Run(Strict):
    """How a sweep is run.

    Attributes
    ----------
    trials : int
        Random sets of patterns for each point of the sweep.
    first_trial : int
        Number of the first one; trial t is the same set in every run.
    seed : int
        Key of all random numbers.
    backend : {"auto", "cpu", "cuda"}
        Where kernels run.
    keep_trials : bool
        Whether the dataset has one entry for each trial instead of mean and standard error.
    """

    trials: Annotated[Integer, Field(ge=1, le=2**32)] = 100
    first_trial: Annotated[Integer, Field(ge=0, le=2**32 - 1)] = 0
    seed: Annotated[Integer, Field(ge=0, le=2**64 - 1)] = 0
    backend: Literal["auto", "cpu", "cuda"] = "auto"
    keep_trials: bool = False


SWEPT = tuple(Experiment.model_fields)
"""Parameters that may be a scalar or a sequence."""

PARAMETERS = (*Experiment.model_fields, *Run.model_fields)
"""All parameters of ``simulate`` that are plain values."""


@dataclass(frozen=True)
class Sweep:
    """Experiments of a sweep, in C order of its axes.

    Attributes
    ----------
    axes : dict of str to tuple
        Values of each swept parameter, in the order given.
    experiments : tuple of Experiment
        One for each combination.
    run : Run
        How they are run.
    """

    axes: dict[str, tuple[Any, ...]]
    experiments: tuple[Experiment, ...]
    run: Run


def sweep(parameters: Mapping[str, Any]) -> Sweep:
    """Validate parameters and expand their sequences.

    Parameters
    ----------
    parameters : mapping
        Fields of `Experiment`, each a scalar or a sequence of scalars, and of `Run`.

    Returns
    -------
    Sweep

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    for name in parameters:
        if name not in PARAMETERS:
            raise ValueError(f"{name}: unknown parameter; allowed are {', '.join(PARAMETERS)}")
    run = sweeps.checked(Run, {name: value for name, value in parameters.items() if name in Run.model_fields})
    given = {name: value for name, value in parameters.items() if name in SWEPT}
    axes = sweeps.axes(Experiment, given)
    fixed = sweeps.checked(Experiment, {name: value for name, value in given.items() if name not in axes})
    experiments = tuple(fixed.model_copy(update=point) for point in sweeps.points(axes))
    for experiment in experiments:
        if experiment.patterns == 0:
            raise ValueError(
                f"load: {experiment.load!r} is not allowed with dimension {experiment.dimension}: that is no pattern"
            )
    if run.first_trial + run.trials > 2**32:
        raise ValueError(f"trials: {run.trials!r} is not allowed: trials are numbered below 2^32")
    return Sweep(axes, experiments, run)


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
    plan = sweep(parameters)
    scalars = plan.experiments[0].model_dump(mode="json") | plan.run.model_dump()
    return {name: list(plan.axes[name]) if name in plan.axes else scalars[name] for name in parameters}
