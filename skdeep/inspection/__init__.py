"""Pictures of fitted estimators, of their results and of what they generate."""

from skdeep.inspection._cluster_map import ClusterMapDisplay
from skdeep.inspection._ensemble_disagreement import EnsembleDisagreementDisplay
from skdeep.inspection._latent_space import LatentSpaceDisplay
from skdeep.inspection._loss_curve import LossCurveDisplay
from skdeep.inspection._reconstruction import ReconstructionDisplay
from skdeep.inspection._reconstruction_error import ReconstructionErrorDisplay
from skdeep.inspection._samples import SamplesDisplay
from skdeep.inspection._search_results import SearchResultsDisplay
from skdeep.inspection._self_organizing_map import SOMDisplay
from skdeep.inspection._synthetic_table import SyntheticTableDisplay

__all__ = [
    "ClusterMapDisplay",
    "EnsembleDisagreementDisplay",
    "LatentSpaceDisplay",
    "LossCurveDisplay",
    "ReconstructionDisplay",
    "ReconstructionErrorDisplay",
    "SOMDisplay",
    "SamplesDisplay",
    "SearchResultsDisplay",
    "SyntheticTableDisplay",
]
