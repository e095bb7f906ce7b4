"""All callbacks of skorch: each works as in skorch's nets or raises an error."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from skorch import callbacks as skorch_callbacks
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    Freezer,
    GradientNormClipping,
    Initializer,
    InputShapeSetter,
    LoadInitState,
    LRScheduler,
    MlflowLogger,
    ParamMapper,
    PassthroughScoring,
    PrintLog,
    ProgressBar,
    SacredLogger,
    TensorBoard,
    TrainEndCheckpoint,
    Unfreezer,
    WandbLogger,
    WarmRestartLR,
)

pytestmark = pytest.mark.having("callbacks")

IRIS, SPECIES = load_iris(return_X_y=True)


class Protocol:
    """What TensorBoard, Sacred, Weights & Biases and MLflow are to a logger, as a list."""

    def __init__(self):
        self.losses = []
        self.info = self
        self.run_id = "run"

    def add_scalar(self, tag, scalar_value, global_step):
        self._record(tag, scalar_value)

    def log_scalar(self, name, value, step):
        self._record(name, value)

    def log_metric(self, run_id, key, value, step):
        self._record(key, value)

    def log(self, values):
        for name, value in values.items():
            self._record(name, value)

    def _record(self, name, value):
        if name.endswith("train_loss"):
            self.losses.append(value)

    def watch(self, module):
        assert isinstance(module, torch.nn.Module)

    def close(self):
        self.losses.append("closed")

    def log_artifact(self, run_id, path):
        assert path.stat().st_size > 0

    def set_terminated(self, run_id):
        self.close()


# NeptuneLogger cannot be made without the package neptune; WarmRestartLR is for LRScheduler.
WORKING = {
    Callback: lambda folder: Callback(),
    Checkpoint: lambda folder: Checkpoint(monitor="train_loss_best", dirname=folder),
    EarlyStopping: lambda folder: EarlyStopping(monitor="train_loss", load_best=True),
    EpochTimer: lambda folder: EpochTimer(),
    Freezer: lambda folder: Freezer("*bias"),
    GradientNormClipping: lambda folder: GradientNormClipping(1.0),
    Initializer: lambda folder: Initializer("*bias", fn=torch.nn.init.zeros_),
    LRScheduler: lambda folder: LRScheduler(WarmRestartLR),
    LoadInitState: lambda folder: LoadInitState(Checkpoint(dirname=folder)),
    MlflowLogger: lambda folder: MlflowLogger(run=Protocol(), client=Protocol()),
    ParamMapper: lambda folder: ParamMapper("*bias", fn=lambda parameter: None),
    PassthroughScoring: lambda folder: PassthroughScoring("train_loss", on_train=True),
    PrintLog: lambda folder: PrintLog(sink=lambda line: None),
    ProgressBar: lambda folder: ProgressBar(),
    SacredLogger: lambda folder: SacredLogger(Protocol()),
    TensorBoard: lambda folder: TensorBoard(Protocol()),
    TrainEndCheckpoint: lambda folder: TrainEndCheckpoint(dirname=folder),
    Unfreezer: lambda folder: Unfreezer("*bias"),
    WandbLogger: lambda folder: WandbLogger(Protocol(), save_model=False),
}
REFUSED = {
    BatchScoring: lambda: BatchScoring("accuracy"),
    EpochScoring: lambda: EpochScoring("accuracy"),
    InputShapeSetter: lambda: InputShapeSetter(),
}


def by_name(cases):
    return pytest.mark.parametrize("make", cases.values(), ids=[kind.__name__ for kind in cases])


def test_no_callback_of_skorchs_is_forgotten():
    elsewhere = {"NeptuneLogger", "WarmRestartLR"}
    known = {kind.__name__ for kind in [*WORKING, *REFUSED]} | elsewhere
    assert known == set(skorch_callbacks.__all__)


@by_name(WORKING)
@pytest.mark.matrix
def test_it_works(make, Class, tmp_path, small):
    estimator = small(Class, max_epochs=3, callbacks=[make(tmp_path)]).fit(IRIS, SPECIES)
    assert estimator.n_iter_ == 3
    assert np.isfinite(estimator.loss_curve_).all()


@by_name(REFUSED)
@pytest.mark.nets({"all rows": {}, "split": {"early_stopping": True}})
@pytest.mark.matrix
def test_it_is_refused_before_training(make, params, Class, small):
    name = type(make()).__name__
    for callback in (make(), ("mine", make())):
        estimator = small(Class, callbacks=[Callback(), callback], **params)
        with pytest.raises(ValueError, match=f"callbacks must not .* got {name}.*[.] .*[.]$"):
            estimator.fit(IRIS, SPECIES)
        assert not hasattr(estimator, "net_")


@pytest.mark.having("partial_fit")
@by_name(REFUSED)
def test_it_is_refused_by_partial_fit_too(make, Class, small):
    with pytest.raises(ValueError, match=r"callbacks must not .* got "):
        small(Class, callbacks=[make()]).partial_fit(IRIS, SPECIES)


# Validation loss ---------------------------------------------------------------------------

NEEDING_VALIDATION = {
    Checkpoint: lambda folder: Checkpoint(dirname=folder),
    EarlyStopping: lambda folder: EarlyStopping(),
    LRScheduler: lambda folder: LRScheduler("ReduceLROnPlateau", monitor="valid_loss"),
    WandbLogger: lambda folder: WandbLogger(Protocol()),
}


@by_name(NEEDING_VALIDATION)
@pytest.mark.matrix
def test_without_rows_held_out_a_validation_loss_cannot_be_monitored(make, Class, tmp_path, small):
    remedy = r"Set (monitor='train_loss(_best)?'|save_model=False), or early_stopping=True"
    with pytest.raises(ValueError, match=f"validation loss .* {remedy}"):
        small(Class, callbacks=[make(tmp_path)]).fit(IRIS, SPECIES)


@by_name({kind: make for kind, make in NEEDING_VALIDATION.items() if kind is not WandbLogger})
@pytest.mark.having("early_stopping")
def test_with_rows_held_out_it_can(make, Class, tmp_path, small):
    estimator = small(Class, max_epochs=3, early_stopping=True, callbacks=[make(tmp_path)])
    assert estimator.fit(IRIS, SPECIES).n_iter_ == 3


# What they do ------------------------------------------------------------------------------


def biases(estimator):
    """Biases of the fitted net as one array."""
    named = estimator.module_.named_parameters()
    return np.concatenate([p.detach().numpy().ravel() for name, p in named if "bias" in name])


def test_initializer_sets_and_freezer_keeps_weights(Class, small):
    sets = Initializer("*bias", fn=lambda bias: torch.nn.init.constant_(bias, 0.25))
    assert (biases(small(Class, callbacks=[sets]).fit(IRIS, SPECIES)) != 0.25).any()
    frozen = small(Class, callbacks=[sets, Freezer("*bias")]).fit(IRIS, SPECIES)
    np.testing.assert_array_equal(biases(frozen), 0.25)
    freed = [sets, ("freezer", Freezer("*bias")), ("unfreezer", Unfreezer("*bias", at=3))]
    assert (biases(small(Class, callbacks=freed).fit(IRIS, SPECIES)) != 0.25).any()


@pytest.mark.having("optimizer")
def test_gradient_norm_clipping_is_gradient_clip_value(Class, assert_same, small):
    clipped = small(Class, gradient_clip_value=0.01).fit(IRIS, SPECIES)
    clipping = [GradientNormClipping(0.01)]
    called = small(Class, callbacks=clipping, gradient_clip_value=None).fit(IRIS, SPECIES)
    assert_same(called, clipped, IRIS)


def test_lr_scheduler_changes_the_learning_rate(Class, assert_same, small):
    falling = LRScheduler("LambdaLR", lr_lambda=lambda epoch: 1.0 if epoch == 0 else 1e-12)
    estimator = small(Class, max_epochs=3, callbacks=[falling]).fit(IRIS, SPECIES)
    lr = estimator.net_.history[:, "event_lr"]
    np.testing.assert_allclose(lr, [estimator.lr, *2 * [1e-12 * estimator.lr]])


@pytest.mark.parametrize("schedule", ["cosine", "onecycle"])
@pytest.mark.matrix
def test_lr_scheduler_and_a_schedule_of_ours_exclude_each_other(schedule, Class, small):
    estimator = small(Class, lr_schedule=schedule, callbacks=[LRScheduler("StepLR", step_size=1)])
    with pytest.raises(ValueError, match=f"lr_schedule must be 'constant' .*{schedule}.* only one"):
        estimator.fit(IRIS, SPECIES)


def test_load_init_state_starts_from_a_checkpoint(tmp_path, small):
    checkpoint = TrainEndCheckpoint(dirname=tmp_path)
    first = small(max_epochs=3, callbacks=[checkpoint]).fit(IRIS)
    second = small(max_epochs=3, callbacks=[LoadInitState(checkpoint)]).fit(IRIS)
    assert second.loss_curve_[:3] == first.loss_curve_
    assert second.n_iter_ == 6


@pytest.mark.parametrize("kind", [SacredLogger, TensorBoard, WandbLogger])
@pytest.mark.matrix
def test_loggers_get_the_loss_of_each_epoch(kind, Class, small):
    protocol = Protocol()
    logger = kind(protocol, **({"save_model": False} if kind is WandbLogger else {}))
    estimator = small(Class, callbacks=[logger]).fit(IRIS, SPECIES)
    assert [loss for loss in protocol.losses if loss != "closed"] == estimator.loss_curve_


def test_progress_bar_of_skorchs_counts_batches(Class, capsys, small):
    small(Class, max_epochs=1, batch_size=50, callbacks=[ProgressBar()]).fit(IRIS, SPECIES)
    assert "/3 [" in capsys.readouterr().err
