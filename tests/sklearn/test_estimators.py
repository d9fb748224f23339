"""The estimators among scikit-learn's tools, on molecules."""

from __future__ import annotations

import os
import pickle
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import dump, load, parallel_config
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from plstm_graph.data import make_demo
from plstm_graph.errors import ConfigError, FeatureError, SmilesError, TableError
from plstm_graph.sklearn import PLSTMClassifier, PLSTMRegressor
from plstm_graph.train.model_file import load_model
from plstm_graph.train.predict_table import predict_table
from tests.sklearn.adapted import SMALL

DEMO = make_demo(60)
SMILES, LOGP = DEMO["smiles"], DEMO["logp"]
LONGER = SMALL | {"epochs": 16, "lr": 0.03, "warmup_epochs": 0}  # long enough to learn means


@pytest.fixture(scope="module")
def fitted() -> PLSTMRegressor:
    return PLSTMRegressor(**SMALL).fit(SMILES, LOGP)


def test_learns_numbers_and_classes():
    more = {"epochs": 20, "hidden_channels": 16, "heads": 2, "lr": 0.01, "batch_size": 16, "warmup_epochs": 1}
    table = make_demo(150)
    train, test = table[:110], table[110:]
    regressor = PLSTMRegressor(**SMALL | more).fit(train["smiles"], train["logp"])
    assert regressor.score(test["smiles"], test["logp"]) > 0.5
    classifier = PLSTMClassifier(**SMALL | more).fit(train["smiles"], train["family"])
    most_frequent = test["family"].value_counts(normalize=True).max()
    assert classifier.score(test["smiles"], test["family"]) > most_frequent


@pytest.mark.parametrize("form", [list, np.array, pd.Series, lambda s: s.to_frame(), lambda s: np.array(s)[:, None]])
def test_takes_smiles_in_any_container(form: object, fitted: PLSTMRegressor):
    np.testing.assert_array_equal(fitted.predict(form(SMILES)), fitted.predict(SMILES))


def test_several_targets_with_missing_labels(tmp_path: Path):
    y = pd.DataFrame({"logp": LOGP, "twice": 100 * LOGP + 7})
    y.iloc[::3, 0] = np.nan
    model = PLSTMRegressor(**LONGER).fit(SMILES, y)
    found = model.predict(SMILES)
    assert found.shape == (60, 2)
    assert abs(found[:, 1].mean() - y["twice"].mean()) < y["twice"].std()  # in the units of the target
    assert model.n_outputs_ == 2
    model.save(tmp_path / "model.pt")
    assert load_model(tmp_path / "model.pt")[1].task.targets == ("logp", "twice")


def test_several_classes_by_name():
    kind = np.where(LOGP < 4, "low", np.where(LOGP < 6, "middle", "very high"))
    model = PLSTMClassifier(**SMALL).fit(SMILES, kind)
    chance = model.predict_proba(SMILES)
    assert model.classes_.tolist() == ["low", "middle", "very high"]
    np.testing.assert_allclose(chance.sum(axis=1), 1)
    np.testing.assert_array_equal(model.predict(SMILES), model.classes_[chance.argmax(axis=1)])


def test_works_in_searches_and_pipelines():
    strip = FunctionTransformer(lambda column: [text.strip() for text in column])
    pipeline = make_pipeline(strip, PLSTMRegressor(**SMALL))
    padded = [f" {text} " for text in SMILES]
    scores = cross_val_score(pipeline, padded, LOGP, cv=2, error_score="raise")
    np.testing.assert_allclose(scores, cross_val_score(PLSTMRegressor(**SMALL), list(SMILES), LOGP, cv=2))
    search = GridSearchCV(
        PLSTMClassifier(**SMALL), {"hidden_channels": [4, 8]}, cv=2, scoring="roc_auc", error_score="raise"
    )
    search.fit(SMILES, DEMO["family"])
    assert search.best_estimator_.predictor_.net.head[0].out_features == search.best_params_["hidden_channels"]


def test_threads_do_not_disturb_each_other():
    alone = cross_val_score(PLSTMRegressor(**SMALL, dropout=0.3), SMILES, LOGP, cv=4)
    with parallel_config("threading"):
        together = cross_val_score(PLSTMRegressor(**SMALL, dropout=0.3), SMILES, LOGP, cv=4, n_jobs=2)
    np.testing.assert_array_equal(together, alone)


def test_parameters_are_flat_and_unchanged():
    options = {"virtual_node": True}
    model = PLSTMRegressor(**SMALL, model_options=options)
    assert model.model_options is options
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(heads=2).fit(SMILES, LOGP).predictor_.net.virtual_nodes is not None
    assert options == {"virtual_node": True}


def test_fit_is_repeatable_and_leaves_random_numbers_alone(fitted: PLSTMRegressor):
    torch.manual_seed(5), np.random.seed(5)  # noqa: NPY002 - the global generator is what is looked at
    expected = torch.rand(1), np.random.rand()  # noqa: NPY002
    torch.manual_seed(5), np.random.seed(5)  # noqa: NPY002
    again = clone(fitted).fit(SMILES, LOGP)
    assert (torch.rand(1), np.random.rand()) == expected  # noqa: NPY002
    np.testing.assert_array_equal(again.predict(SMILES), fitted.predict(SMILES))
    other = clone(fitted).set_params(random_state=1).fit(SMILES, LOGP)
    assert np.abs(other.predict(SMILES) - fitted.predict(SMILES)).max() > 1e-4


def test_leaves_no_files_and_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = dict(os.environ)
    PLSTMRegressor(**SMALL).fit(SMILES, LOGP).predict(SMILES)
    assert list(tmp_path.rglob("*")) == []
    assert capfd.readouterr() == ("", "")
    assert dict(os.environ) == before


def test_pickles_joblib_files_and_model_files(fitted: PLSTMRegressor, tmp_path: Path):
    expected = fitted.predict(SMILES)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(SMILES), expected)
    dump(fitted, tmp_path / "model.joblib")
    np.testing.assert_array_equal(load(tmp_path / "model.joblib").predict(SMILES), expected)
    fitted.save(tmp_path / "model.pt")
    DEMO.to_csv(tmp_path / "in.csv", index=False)
    predict_table(tmp_path / "model.pt", tmp_path / "in.csv", tmp_path / "out.csv", progress=False)
    found = pd.read_csv(tmp_path / "out.csv")["predicted_y"]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_rows_of_weight_zero_do_not_count():
    y = LOGP.copy()
    y[:20] = 1000.0
    weight = np.ones(60)
    weight[:20] = 0
    lame = PLSTMRegressor(**SMALL).fit(SMILES, y, weight)
    np.testing.assert_array_equal(
        lame.predict(SMILES), PLSTMRegressor(**SMALL).fit(SMILES[20:], y[20:]).predict(SMILES)
    )


def test_weights_pull_predictions():
    """With two labels for every molecule, the predictions go to the heavier one."""
    smiles, y = [*SMILES, *SMILES], np.repeat([0.0, 1.0], 60)
    means = [
        PLSTMClassifier(**LONGER).fit(smiles, y, np.where(y == heavy, 9.0, 1.0)).predict_proba(SMILES)[:, 1].mean()
        for heavy in (0, 1)
    ]
    assert means[0] < 0.3
    assert means[1] > 0.7
    balanced = PLSTMClassifier(**LONGER, class_weight={0: 9.0, 1: 1.0}).fit(smiles, y).predict_proba(SMILES)
    assert balanced[:, 1].mean() == pytest.approx(means[0], abs=1e-6)


def test_all_rows_train_without_validation():
    model = PLSTMRegressor(**SMALL, validation_fraction=0).fit(SMILES, LOGP)
    assert model.best_epoch_ == model.n_iter_ - 1 == 1
    early = PLSTMRegressor(**SMALL | {"epochs": 40, "lr": 1e-9}, patience=2).fit(SMILES, LOGP)
    assert early.n_iter_ < 40


def test_a_bad_smiles_is_named_with_its_row(fitted: PLSTMRegressor):
    for call in (lambda: fitted.predict(["CCO", "C1CC"]), lambda: clone(fitted).fit(["CCO", "C1CC"], [1, 2])):
        with pytest.raises(SmilesError, match="C1CC") as caught:
            call()
        assert caught.value.row == 1


@pytest.mark.parametrize(
    ("change", "y", "weight", "error", "message"),
    [
        ({"hidden_chanels": 3}, [1, 2], None, ConfigError, "hidden_channels"),
        ({}, [1, 2, 3], None, FeatureError, "y has 3 rows, but there are 2 SMILES"),
        ({}, [1, np.nan], None, TableError, "row 1"),
        ({}, ["a", "b"], None, TableError, "numbers"),
        ({}, [1, 2], [1, -1], FeatureError, "row 1: -1.0"),
        ({}, [1, 2], [1], FeatureError, "sample_weight has 1 rows"),
    ],
)
def test_errors_say_what_is_wrong(change: dict, y: list, weight: object, error: type, message: str):
    with pytest.raises(error, match=message):
        PLSTMRegressor(**SMALL, model_options=change).fit(["CCO", "CCC"], y, weight)


def test_more_errors():
    with pytest.raises(NotFittedError):
        PLSTMClassifier().predict(["C"])
    with pytest.raises(TableError, match="one class only"):
        PLSTMClassifier(**SMALL).fit(["CCO", "CCC"], [1, 1])
    with pytest.raises(ConfigError, match="validation_fraction=2"):
        PLSTMRegressor(**SMALL, validation_fraction=2).fit(["CCO", "CCC"], [1, 2])
    with pytest.raises(FeatureError, match=r"\[2, 2\]"):
        PLSTMRegressor(**SMALL).fit([["C", "C"], ["C", "C"]], [1, 2])
    with pytest.raises(ConfigError, match="class_weight='heavy'"):
        PLSTMClassifier(**SMALL, class_weight="heavy").fit(["CCO", "CCC"], [0, 1])
