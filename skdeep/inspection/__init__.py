"""Pictures of fitted estimators."""

from skdeep.inspection._self_organizing_map import SOMDisplay

__all__ = ["SOMDisplay"]
