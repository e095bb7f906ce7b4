"""Pipelines, unions, searches and containers of scikit-learn."""

import imblearn.pipeline
import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingRegressor, StackingClassifier, VotingClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, StandardScaler

from skdeep.decomposition import Autoencoder, VariationalAutoencoder
from skdeep.generative import GANFeatureExtractor, GANSampler, TabularGANSampler
from skdeep.neural_network import ResNetClassifier, ResNetRegressor

IRIS, SPECIES = load_iris(return_X_y=True)
DIGITS, DIGIT = (part[:600] for part in load_digits(return_X_y=True))


@pytest.fixture(params=[Autoencoder, VariationalAutoencoder])
def Class(request):
    return request.param


@pytest.fixture(params=[ResNetClassifier, ResNetRegressor])
def Net(request):
    return request.param


@pytest.fixture(params=[GANSampler, TabularGANSampler])
def Sampler(request):
    return request.param


@pytest.fixture
def df():
    return load_iris(as_frame=True).data


def small(n_components=2, Class=Autoencoder, **parameters):
    """Fast estimator."""
    return Class(
        n_components, **{"max_epochs": 10, "device": "cpu", "random_state": 0, **parameters}
    )


def net(Class=ResNetClassifier, **parameters):
    """Fast classifier or regressor."""
    plain = {"max_epochs": 10, "batch_size": 32, "width": 16, "lr": 1e-2}
    return Class(**{**plain, "device": "cpu", "random_state": 0, **parameters})


def gan(Class, **parameters):
    """Fast generator."""
    plain = {"max_epochs": 30, "batch_size": 50, "hidden_layer_sizes": (16,), "device": "cpu"}
    return Class(**{**plain, "random_state": 0, **parameters})


def classifier():
    return LogisticRegression(max_iter=2000)


# The examples that the package was made for ------------------------------------------------


def test_clustering_of_codes_finds_digits():
    pipe = make_pipeline(
        MinMaxScaler(),
        Autoencoder(10, device="auto", random_state=0),
        KMeans(10, random_state=0),
    )
    labels = pipe.fit_predict(DIGITS)
    assert adjusted_rand_score(DIGIT, labels) > 0.4
    np.testing.assert_array_equal(pipe.predict(DIGITS), labels)


def test_search_over_a_pipeline_is_the_same_with_two_workers():
    grid = {"autoencoder__n_components": [5, 10], "autoencoder__lr": [1e-3, 3e-3]}
    searches = [
        GridSearchCV(
            make_pipeline(MinMaxScaler(), small(), classifier()), grid, cv=2, n_jobs=n_jobs
        ).fit(DIGITS, DIGIT)
        for n_jobs in (1, 2)
    ]
    names = [name for name in searches[0].cv_results_ if name.endswith("_test_score")]
    assert len(names) == 5  # two folds, mean, deviation, rank
    for name in names:
        values = [search.cv_results_[name] for search in searches]
        np.testing.assert_array_equal(*values, err_msg=name)
    assert searches[0].best_params_ == searches[1].best_params_
    assert searches[0].best_score_ > 0.7
    np.testing.assert_array_equal(searches[0].predict(DIGITS), searches[1].predict(DIGITS))


def test_codes_reconstructions_errors_and_new_rows():
    ae = small().fit(IRIS)
    X_hat = ae.inverse_transform(ae.transform(IRIS))
    assert X_hat.shape == IRIS.shape
    per_row = ae.reconstruction_error(IRIS)
    assert per_row.shape == (150,)
    assert ae.score(IRIS) == pytest.approx(-per_row.mean())
    assert small(8, VariationalAutoencoder).fit(DIGITS).sample(100).shape == (100, 64)


# Pipelines ---------------------------------------------------------------------------------


def test_pipeline_equals_its_steps_by_hand(Class):
    pipe = make_pipeline(StandardScaler(), small(3, Class), classifier()).fit(IRIS, SPECIES)
    scaled = StandardScaler().fit_transform(IRIS)
    codes = small(3, Class).fit_transform(scaled)
    np.testing.assert_array_equal(pipe[:-1].transform(IRIS), codes)
    expected = classifier().fit(codes, SPECIES).predict_proba(codes)
    np.testing.assert_array_equal(pipe.predict_proba(IRIS), expected)


def test_pipeline_undoes_its_transforms(Class):
    pipe = make_pipeline(StandardScaler(), small(3, Class)).fit(IRIS)
    codes = pipe.transform(IRIS)
    expected = pipe[0].inverse_transform(pipe[1].inverse_transform(codes))
    np.testing.assert_array_equal(pipe.inverse_transform(codes), expected)
    assert pipe.score(IRIS) == pytest.approx(pipe[1].score(pipe[0].transform(IRIS)))


def test_estimators_may_follow_one_another(Class):
    pipe = make_pipeline(PCA(20), small(10), small(3, Class)).fit(DIGITS)
    assert pipe.transform(DIGITS).shape == (600, 3)
    assert pipe.inverse_transform(pipe.transform(DIGITS)).shape == DIGITS.shape


def test_nested_pipelines_and_unions_with_pca(Class):
    union = FeatureUnion(
        [
            ("pca", PCA(3, svd_solver="full")),
            ("deep", Pipeline([("scale", StandardScaler()), ("code", small(4, Class))])),
        ]
    )
    pipe = make_pipeline(FunctionTransformer(np.log1p), union, classifier())
    pipe.fit(DIGITS, DIGIT)
    features = pipe[:-1].transform(DIGITS)
    assert features.shape == (600, 7)
    np.testing.assert_allclose(
        features[:, :3], PCA(3, svd_solver="full").fit_transform(np.log1p(DIGITS)), atol=1e-9
    )
    expected = small(4, Class).fit_transform(StandardScaler().fit_transform(np.log1p(DIGITS)))
    np.testing.assert_array_equal(features[:, 3:], expected)
    assert pipe.score(DIGITS, DIGIT) > 0.5


def test_column_transformer_of_a_data_frame_names_its_columns(Class, df):
    df["species"] = np.array(["setosa", "versicolor", "virginica"])[SPECIES]
    columns = ColumnTransformer(
        [
            ("deep", small(2, Class), ["sepal length (cm)", "sepal width (cm)"]),
            ("pca", PCA(1), ["petal length (cm)", "petal width (cm)"]),
            ("kind", OneHotEncoder(sparse_output=False), ["species"]),
        ]
    ).set_output(transform="pandas")
    features = columns.fit_transform(df)
    prefix = Class.__name__.lower()
    assert list(features.columns[:3]) == [f"deep__{prefix}0", f"deep__{prefix}1", "pca__pca0"]
    assert features.shape == (150, 6)
    expected = small(2, Class).fit_transform(df.iloc[:, :2])
    np.testing.assert_array_equal(features.iloc[:, :2], expected)


def test_pipeline_with_memory_fits_the_net_once(Class, tmp_path):
    memory = joblib.Memory(tmp_path, verbose=0)
    steps = [("scale", StandardScaler()), ("deep", small(3, Class)), ("last", classifier())]
    first, second, plain = (
        clone(Pipeline(steps, memory=one)).fit(IRIS, SPECIES) for one in (memory, memory, None)
    )
    for pipe in (first, second):
        np.testing.assert_array_equal(pipe.predict_proba(IRIS), plain.predict_proba(IRIS))
    # a net that came out of the cache brings the time that its epochs took with it
    times = [[row["dur"] for row in pipe["deep"].history_] for pipe in (first, second, plain)]
    assert times[0] == times[1] != times[2]


# Searches ----------------------------------------------------------------------------------


def test_search_without_labels_takes_the_best_reconstruction(Class):
    grid = {"max_epochs": [1, 30], "hidden_layer_sizes": [(16,), (64, 32)]}
    search = GridSearchCV(small(3, Class), grid, cv=3).fit(DIGITS)
    assert search.best_params_["max_epochs"] == 30
    best = search.cv_results_["mean_test_score"].max()
    assert search.best_score_ == best
    assert search.score(DIGITS) == search.best_estimator_.score(DIGITS)
    assert search.transform(DIGITS).shape == (600, 3)


def test_nested_search_in_a_cross_validation(Class):
    pipe = make_pipeline(StandardScaler(), small(2, Class), classifier())
    grid = {f"{Class.__name__.lower()}__n_components": [1, 3]}
    scores = cross_val_score(GridSearchCV(pipe, grid, cv=2), IRIS, SPECIES, cv=3)
    assert scores.shape == (3,) and scores.min() > 0.7


def test_a_diverging_candidate_gets_the_error_score_and_the_search_goes_on():
    grid = {"lr": [1e-3, 1e30], "optimizer": ["sgd"]}
    search = GridSearchCV(small(), grid, cv=2, error_score=-1e9)
    with pytest.warns(FitFailedWarning, match="DivergenceError") as record:
        search.fit(IRIS)
    assert len(record) == 1
    assert search.cv_results_["mean_test_score"][1] == -1e9
    assert search.best_params_["lr"] == 1e-3


# Containers --------------------------------------------------------------------------------


@pytest.mark.parametrize("library, container", [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
def test_set_output_gives_a_frame_with_named_columns(Class, df, library, container):
    expected = small(2, Class).fit_transform(df)
    given = df if library == "pandas" else pl.from_pandas(df)
    for X in (given, df.to_numpy()):
        codes = small(2, Class).set_output(transform=library).fit_transform(X)
        assert isinstance(codes, container)
        prefix = Class.__name__.lower()
        assert list(codes.columns) == [f"{prefix}0", f"{prefix}1"]
        np.testing.assert_array_equal(codes.to_numpy(), expected)


def test_pandas_output_keeps_the_index(Class, df):
    df.index = [f"flower {number}" for number in range(150)]
    codes = small(2, Class).set_output(transform="pandas").fit_transform(df)
    assert list(codes.index) == list(df.index)


def test_feature_names_in_and_out(Class, df):
    estimator = small(3, Class).fit(df)
    assert list(estimator.feature_names_in_) == list(df.columns)
    prefix = Class.__name__.lower()
    assert list(estimator.get_feature_names_out()) == [f"{prefix}{number}" for number in range(3)]
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.transform(df[df.columns[::-1]])
    assert not hasattr(small(3, Class).fit(IRIS), "feature_names_in_")


def test_data_frame_goes_through_a_pipeline(Class, df):
    pipe = make_pipeline(StandardScaler(), small(2, Class), classifier())
    pipe.set_output(transform="pandas").fit(df, SPECIES)
    assert list(pipe[:-1].get_feature_names_out()) == list(pipe[:-1].transform(df).columns)
    plain = make_pipeline(StandardScaler(), small(2, Class), classifier()).fit(IRIS, SPECIES)
    np.testing.assert_array_equal(pipe.predict_proba(df), plain.predict_proba(IRIS))


# Nets that predict -------------------------------------------------------------------------


def test_pipeline_that_ends_in_a_net_equals_its_steps_by_hand(Net):
    pipe = make_pipeline(StandardScaler(), small(3), net(Net)).fit(IRIS, SPECIES)
    codes = small(3).fit_transform(StandardScaler().fit_transform(IRIS))
    expected = net(Net).fit(codes, SPECIES)
    np.testing.assert_array_equal(pipe.predict(IRIS), expected.predict(codes))
    assert pipe.score(IRIS, SPECIES) == expected.score(codes, SPECIES)


def test_search_over_a_net_in_a_pipeline_is_the_same_with_two_workers(Net):
    name = Net.__name__.lower()
    grid = {f"{name}__lr": [1e-3, 1e-2], f"{name}__n_blocks": [1, 2]}
    pipe = make_pipeline(StandardScaler(), net(Net))
    folds = KFold(3, shuffle=True, random_state=0)
    one, two = (GridSearchCV(pipe, grid, cv=folds, n_jobs=n).fit(IRIS, SPECIES) for n in (1, 2))
    scores = [search.cv_results_["mean_test_score"] for search in (one, two)]
    np.testing.assert_array_equal(*scores)
    assert one.best_params_[f"{name}__lr"] == 1e-2
    assert one.best_score_ > 0.7
    np.testing.assert_array_equal(one.predict(IRIS), two.predict(IRIS))


def test_net_for_a_diverging_candidate_gets_the_error_score(Net):
    search = GridSearchCV(net(Net), {"lr": [1e-2, 1e30]}, cv=2, error_score=-1e9)
    with pytest.warns(FitFailedWarning, match="DivergenceError"):
        search.fit(IRIS, SPECIES)
    assert search.cv_results_["mean_test_score"][1] == -1e9
    assert search.best_params_["lr"] == 1e-2


def test_embedding_is_a_step_of_a_pipeline(Net):
    deep = net(Net).fit(IRIS, SPECIES)
    pipe = make_pipeline(FunctionTransformer(deep.embed), StandardScaler(), classifier())
    assert pipe.fit(IRIS, SPECIES).score(IRIS, SPECIES) > 0.9
    np.testing.assert_array_equal(pipe[0].transform(IRIS), deep.embed(IRIS))


def test_categorical_columns_reach_the_net_through_a_column_transformer(df, Net):
    df["leaf"] = pd.Categorical(np.array(["long", "short"])[SPECIES % 2])
    columns = ColumnTransformer(
        [("scaled", StandardScaler(), df.columns[:2]), ("kept", "passthrough", ["leaf"])],
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    pipe = make_pipeline(columns, net(Net)).fit(df, SPECIES % 2)
    assert pipe[-1].is_categorical_.tolist() == [False, False, True]
    swapped = df.assign(leaf=pd.Categorical(np.array(["short", "long"])[SPECIES % 2]))
    assert pipe.score(df, SPECIES % 2) > 0.9 > pipe.score(swapped, SPECIES % 2)


def test_cross_validation_predicts_each_row_by_a_net_that_did_not_see_it():
    probability = cross_val_predict(net(), IRIS, SPECIES, cv=3, method="predict_proba")
    assert probability.shape == (150, 3)
    assert (probability.argmax(axis=1) == SPECIES).mean() > 0.9


@pytest.mark.parametrize(
    "wrap",
    [
        lambda one: CalibratedClassifierCV(one, cv=2),
        lambda one: VotingClassifier([("net", one), ("linear", classifier())], voting="soft"),
        lambda one: StackingClassifier([("net", one), ("linear", classifier())], cv=2),
    ],
    ids=["calibrated", "voting", "stacking"],
)
def test_classifiers_made_of_classifiers_take_the_net(wrap):
    names = np.array(["setosa", "versicolor", "virginica"])[SPECIES]
    model = wrap(net()).fit(IRIS, names)
    assert model.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert model.score(IRIS, names) > 0.9


@pytest.mark.parametrize(
    "wrap",
    [
        lambda one: TransformedTargetRegressor(one, func=np.log, inverse_func=np.exp),
        lambda one: BaggingRegressor(one, n_estimators=3, random_state=0),
    ],
    ids=["transformed target", "bagging"],
)
def test_regressors_made_of_regressors_take_the_net(wrap):
    X, y = IRIS[:, :3], IRIS[:, 3]
    assert wrap(net(ResNetRegressor, max_epochs=30)).fit(X, y).score(X, y) > 0.8


# Generators --------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning")  # of few epochs
def test_sampler_in_imbalanced_learns_pipeline_equals_its_steps_by_hand(Sampler):
    X, y = IRIS[20:], SPECIES[20:]
    pipe = imblearn.pipeline.make_pipeline(StandardScaler(), gan(Sampler), classifier())
    scaled = StandardScaler().fit_transform(X)
    resampled, labels = gan(Sampler).fit_resample(scaled, y)
    assert np.bincount(labels).tolist() == [50, 50, 50]
    np.testing.assert_array_equal(resampled[: len(X)], scaled)
    expected = classifier().fit(resampled, labels)
    np.testing.assert_array_equal(pipe.fit(X, y).predict_proba(X), expected.predict_proba(scaled))
    assert cross_val_score(pipe, X, y, cv=3).min() > 0.7


def test_features_of_a_critic_are_a_step_of_a_pipeline():
    extractor = gan(GANFeatureExtractor, n_components=10)
    pipe = make_pipeline(StandardScaler(), extractor, classifier()).fit(IRIS, SPECIES)
    features = clone(extractor).fit_transform(StandardScaler().fit_transform(IRIS))
    np.testing.assert_array_equal(pipe[:-1].transform(IRIS), features)
    names = [f"ganfeatureextractor{number}" for number in range(10)]
    assert pipe[:-1].get_feature_names_out().tolist() == names
    assert pipe.score(IRIS, SPECIES) > 0.9
