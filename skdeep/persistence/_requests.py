"""Estimators with metadata requests, in a form that skops can save."""

import copyreg
import io
import pickle

from skdeep.utils._sklearn import MetadataRequest, MethodMetadataRequest


def with_named_owners(estimator):
    """Copy an estimator; all metadata requests in it have the names of their owners.

    A request refers to the estimator that has it, for error messages only, and skops cannot save
    what contains itself.
    """
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(estimator)
    return pickle.loads(buffer.getvalue())


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj):
        if not isinstance(obj, MetadataRequest | MethodMetadataRequest):
            return NotImplemented
        owner = obj.owner if isinstance(obj.owner, str) else type(obj.owner).__name__
        return copyreg.__newobj__, (type(obj),), vars(obj) | {"owner": owner}
