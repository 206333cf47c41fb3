"""Whom to cite for a table: publications of the tables that are known by their checksums."""

from collections.abc import Mapping
from types import MappingProxyType

_HEMIBRAIN = "Scheffer et al. 2020, eLife 9, e57443 (hemibrain, CC BY 4.0)"
_FAFB = "Zheng et al. 2022, Curr. Biol. 32 (FAFB)"
_CARON = "Caron et al. 2013, Nature 497, 113"
_HALLEM_CARLSON = "Hallem & Carlson 2006, Cell 125, 143"
_DOOR = "Muench & Galizia 2016, Sci. Rep. 6, 21841 (DoOR 2.0, CC BY-SA 4.0)"
_LARVA = "Si et al. 2019, Neuron 101, 950"

PUBLICATIONS: Mapping[str, str] = MappingProxyType(
    {
        "84fe696cac4dd9e3d6bb2f6ea8907a78872271dd6a8a59f5b21d7d07d16821b0": _HEMIBRAIN,
        "924c98b8e2e4c0bb05dbb29cdfb394e3c26acd67360443d48cd4bb629d5f538c": _FAFB,
        "d2a6ed7b1949127bde31c9159782675c765d9b6afca8bba11438d1f5a455aa36": _FAFB,
        "99642582621eae8901ffbaafd5d091c7c8148f55a5eb574d516d9bfc4a2ae2af": _FAFB,
        "350afeb6397bfac90c08f0bff5c74a12e812413e0b9392f271e6c8a6e375ac90": _CARON,
        "3c8ca5e24406710fd4676341463783bd4c173a87c25b498916648ebb05f60ed7": _HALLEM_CARLSON,
        "fa1d82bb668e8fa492bd98a6f7377c971e3cd9f6395c4a820188ee8a277c58ed": _HALLEM_CARLSON,
        "bc2aa5414ff54d3a1399f5fe171e154bcadc754bcf323a3c27711a54f70848e2": _DOOR,
        "0dffb0a1b37ae99091bfb27d3bdfdfef6724dfc8bd3699cf573579d52592ee39": _LARVA,
    }
)
"""Publications by the SHA-256 of their tables."""


def publication(sha256: str) -> str:
    """Publication that a table comes from.

    Parameters
    ----------
    sha256 : str
        Checksum of the file.

    Returns
    -------
    str
        Authors, year, journal and licence, or a line that says that the table is not known.
    """
    return PUBLICATIONS.get(sha256.lower(), f"a table that is not known here, SHA-256 {sha256[:12]}; cite its authors")
