"""Studies: simulate, compare with theory, state claims, draw the figure.

A study is one module of this package and one block of ``config.yaml``. The module has

``MODEL``
    Name of the model package that it simulates, such as ``"propagation"``.
``TITLE``, ``CAPTION``
    Text of the report. The caption may refer to any parameter of the block, as ``{width}`` or ``{trials}``.
``simulate(**parameters) -> xarray.Dataset``
    Optional; by default the model's own ``simulate``. Swept parameters must become dimensions.
``validate(parameters) -> dict``
    Optional, for a study whose ``simulate`` takes parameters that the model does not have; by default the model's own
    ``validate``, whose contract it shares.
``compare(dataset) -> xarray.Dataset``
    Adds theory to the gathered dataset.
``claims(dataset) -> list of Claim``
    Sets predictions against measurements.
``figure(dataset) -> matplotlib.figure.Figure``
    Draws the dataset; usable without the pipeline.

Modules are cheap to import: what needs Numba, xarray or matplotlib imports it inside a function.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import xarray as xr

Verdict = Literal["holds", "holds with correction", "fails"]

STANDARD_ERRORS = 4.0
"""A measurement may deviate by this many standard errors, and by the declared tolerance."""


def parameters(dataset: "xr.Dataset") -> dict[str, Any]:
    """Parameters that a dataset was simulated with.

    Parameters
    ----------
    dataset : xarray.Dataset
        From a model's ``simulate``, or gathered by the pipeline.

    Returns
    -------
    dict
        Scalars, and lists for axes.
    """
    return dict(json.loads(dataset.attrs["parameters"]))


@dataclass(frozen=True)
class Claim:
    """One row of the ledger.

    Attributes
    ----------
    claim : str
        Name of the claim or of its sheet, such as ``"SIG1"``.
    statement : str
        What is claimed, in one line.
    prediction, measured, stderr : float
        Theory, simulation, and the standard error of the simulation.
    tolerance : float
        Systematic deviation that the theory allows for, such as finite width.
    verdict : {"holds", "holds with correction", "fails"}
        Whether the claim stands.
    """

    claim: str
    statement: str
    prediction: float
    measured: float
    stderr: float
    tolerance: float
    verdict: Verdict

    @classmethod
    def test(
        cls,
        claim: str,
        statement: str,
        *,
        prediction: float,
        measured: float,
        stderr: float,
        tolerance: float = 0.0,
        correction: str | None = None,
    ) -> "Claim":
        """Compare a measurement with its prediction.

        Parameters
        ----------
        claim, statement : str
            As in `Claim`.
        prediction, measured, stderr, tolerance : float
            The claim holds if ``abs(measured - prediction) <= 4 stderr + tolerance``; anything not finite fails.
        correction : str, optional
            How the published wording has to be changed for the prediction to be right.

        Returns
        -------
        Claim
        """
        stands = abs(measured - prediction) <= STANDARD_ERRORS * stderr + tolerance
        verdict: Verdict = "fails" if not stands else "holds" if correction is None else "holds with correction"
        text = statement if correction is None else f"{statement} (corrected: {correction})"
        return cls(claim, text, float(prediction), float(measured), float(stderr), float(tolerance), verdict)
