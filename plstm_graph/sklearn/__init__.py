"""pLSTM as scikit-learn estimators, which take SMILES: ``fit(smiles, y)``, ``predict(smiles)``."""

from plstm_graph.sklearn.classifier import PLSTMClassifier
from plstm_graph.sklearn.regressor import PLSTMRegressor

__all__ = ["PLSTMClassifier", "PLSTMRegressor"]
