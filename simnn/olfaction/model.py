"""What is simulated: random expansions of random odors, the sweep over them, and how it is run. Light to import."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from simnn import sweeps
from simnn.device.backends import on_cuda
from simnn.sweeps import Integer, Number, Strict

_NONE = BeforeValidator(lambda value: "none" if value is None else value)
"""``null`` of a configuration, and ``none`` of the command line, are a name like others."""


class Experiment(Strict):
    """A random expansion and its odors; every field may be swept.

    Attributes
    ----------
    glomeruli : int
        Input channels N.
    kenyon_cells : int
        Cells M of the expansion.
    claws : int
        Inputs K of each cell, 0 for all glomeruli.
    replacement : bool
        Whether a cell may draw a glomerulus more than once.
    weights : str
        Law of the weights, one of `simnn.olfaction.weights.WEIGHTS`.
    inhibition : {"none", "balanced"}
        Whether the mean of the matrix of weights is subtracted from its entries.
    sparsening : {"cell", "global", "winners"}
        Whether each cell has its own threshold, all have one, or the cells with the largest drives to an odor win.
    coding_level : float
        Fraction f of active cells.
    odors : int
        Number P of odors.
    channel_correlation : float
        Of any two channels, over odors.
    input_correlation : float
        Of each odor and its partner.
    noise : float
        DeltaS of noisy copies: 1 - correlation with the odor.
    convention : {"normalised", "additive"}
        Whether noisy copies have the variance of odors, or that of the noise on top of it.
    normalization : {"none", "divisive"}
        What projection neurons make of given odors, which are then rates of receptor neurons.
    input_gain : float
        Strength m of the lateral inhibition among projection neurons.
    readout : {"hebbian", "max_margin"}
        How a readout learns the odors: by adding up codes times labels, or with the largest margin.
    members : int
        Noisy copies of each odor.
    """

    glomeruli: Annotated[Integer, Field(ge=1, le=2**20)] = 50
    kenyon_cells: Annotated[Integer, Field(ge=2, le=2**23)] = 2000
    claws: Annotated[Integer, Field(ge=0, le=2**20)] = 7
    replacement: Annotated[bool, Field(strict=True)] = False
    weights: Literal["binary", "cerebellar", "cortical", "uniform", "halfnormal", "gaussian"] = "binary"
    inhibition: Annotated[Literal["none", "balanced"], _NONE] = "none"
    sparsening: Literal["cell", "global", "winners"] = "cell"
    coding_level: Annotated[Number, Field(gt=0.0, lt=1.0)] = 0.1
    odors: Annotated[Integer, Field(ge=4, le=2**30)] = 1000
    channel_correlation: Annotated[Number, Field(ge=0.0, lt=1.0)] = 0.0
    input_correlation: Annotated[Number, Field(ge=-1.0, le=1.0)] = 0.5
    noise: Annotated[Number, Field(ge=0.0, le=1.0)] = 0.05
    convention: Literal["normalised", "additive"] = "normalised"
    normalization: Annotated[Literal["none", "divisive"], _NONE] = "none"
    input_gain: Annotated[Number, Field(ge=0.0, le=1e6)] = 10.63
    readout: Literal["hebbian", "max_margin"] = "hebbian"
    members: Annotated[Integer, Field(ge=1, le=2**15)] = 1

    def without_cuda(self) -> str | None:
        """What of this has no kernels on a GPU.

        Returns
        -------
        str or None
            Name and value of a parameter; None if all of it has.
        """
        return None if self.readout == "hebbian" else f"readout {self.readout!r}"


class Run(sweeps.Run):
    """How a sweep of circuits is run: each trial is a wiring, with odors of its own.

    Attributes
    ----------
    trials : int
        Wirings for each point of the sweep.
    pairs : int
        Odors, of those of a trial, that are compared with each other for the dimension.
    """

    trials: Annotated[Integer, Field(ge=1, le=2**32)] = 10
    pairs: Annotated[Integer, Field(ge=4, le=2**20)] = 1000


SWEPT = tuple(Experiment.model_fields)
"""Parameters that may be a scalar or a sequence."""

PARAMETERS = (*Experiment.model_fields, *Run.model_fields)
"""All parameters of ``simulate`` that are plain values."""


Sweep = sweeps.Sweep[Experiment, Run]
"""Experiments of a sweep, and how they are run."""


def sweep(parameters: Mapping[str, Any], available: int | None = None, wired: bool = False) -> Sweep:
    """Validate parameters and expand their sequences.

    Parameters
    ----------
    parameters : mapping
        Fields of `Experiment`, each a scalar or a sequence of scalars, and of `Run`.
    available : int, optional
        Number of odors that are given, if they are.
    wired : bool
        Whether the wiring is given.

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
        _check_together(experiment, wired)
        if on_cuda(plan.run.backend) and (lacking := experiment.without_cuda()):
            raise ValueError(f"backend: {plan.run.backend!r} is not allowed with {lacking}: should be 'auto' or 'cpu'")
        if experiment.normalization != "none" and available is None:
            raise ValueError(
                f"normalization: {experiment.normalization!r} is not allowed without responses: Gaussian odors are no "
                "rates; pass responses, such as those of olfaction.synthetic_odors"
            )
        if available is not None and experiment.odors > available:
            raise ValueError(f"odors: {experiment.odors!r} is not allowed: {available} are given")
    return plan


def _check_together(experiment: Experiment, wired: bool) -> None:
    """Refuse values that make no sense together."""

    def refuse(name: str, reason: str) -> None:
        raise ValueError(f"{name}: {getattr(experiment, name)!r} is not allowed {reason}")

    if not wired:
        if experiment.claws > experiment.glomeruli and not experiment.replacement:
            refuse("claws", f"with glomeruli {experiment.glomeruli}: that is more than there are")
        all_equal = experiment.weights == "binary" and experiment.claws in (0, experiment.glomeruli)
        if all_equal and experiment.inhibition == "balanced" and not (experiment.replacement and experiment.claws):
            refuse("inhibition", "with equal weights on all glomeruli: nothing is left of them")
    if experiment.sparsening == "winners":
        winners = round(experiment.coding_level * experiment.kenyon_cells)
        if not 0 < winners < experiment.kenyon_cells:
            refuse("coding_level", f"with kenyon_cells {experiment.kenyon_cells}: {winners} winners make one code only")
    if experiment.convention == "additive" and experiment.noise == 1.0:
        refuse("noise", "with convention 'additive': no noise is large enough")


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as ``simnn.olfaction.simulate`` would, without running anything.

    Parameters
    ----------
    parameters : mapping
        Scalars, or sequences for swept parameters.

    Returns
    -------
    dict
        The same parameters with values of their own type: ``noise=0`` becomes 0.0, sequences become lists.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    return sweep(parameters).validated(parameters)
