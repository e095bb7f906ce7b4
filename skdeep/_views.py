"""Parameters of estimators that train on random views of the samples."""

from skdeep._encoder import EncoderMixin
from skdeep.nn._augment import AUGMENTATIONS
from skdeep.nn._dropout import CORRUPTIONS
from skdeep.utils._params import NON_NEGATIVE, param
from skdeep.utils._sklearn import StrOptions

# Augmentation of images with augment="auto".
_AUTO_AUGMENT = "affine"


class ViewsMixin(EncoderMixin):
    """Encoders that learn from augmented images and noisy samples."""

    augment: str | None = param(StrOptions({"auto", *AUGMENTATIONS}), None, default="auto")
    noise: float = param(NON_NEGATIVE, default=0.5)
    noise_kind: str = param(StrOptions(set(CORRUPTIONS)), default="gaussian")

    # no weights depend on them
    _changeable = ("augment", "noise", "noise_kind")

    def _check_combination(self):
        """Raise ``ValueError`` for parameters that cannot be combined."""
        if self.image_shape is None and self.augment not in ("auto", None):
            raise ValueError(
                f"augment needs image_shape; got augment={self.augment!r} and image_shape=None. "
                "Set image_shape, or augment=None."
            )
        if self.noise_kind == "masking" and self.noise >= 1:
            raise ValueError(
                f"noise must be < 1 with noise_kind='masking'; got noise={self.noise!r}, which "
                "masks every entry. Lower noise."
            )

    def _view_architecture(self):
        """Part of the architecture that describes the views."""
        augment = self.augment
        if augment == "auto":
            augment = None if self.image_shape is None else _AUTO_AUGMENT
        return {"augment": augment, "noise": float(self.noise), "noise_kind": self.noise_kind}
