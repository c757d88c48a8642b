"""What scikit-learn offers, with its defaults and the preprocessing of the hand-written network."""

from typing import Any

import numpy as np
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from benchmarks.value.methods import Answer
from benchmarks.value.others.preprocessing import encoder


def hist_gradient_boosting(problem: Any, parts: Any, seconds: float, seed: int) -> Answer:
    """Fit gradient boosting over histograms."""
    classify = problem.task == "classification"
    kind = HistGradientBoostingClassifier if classify else HistGradientBoostingRegressor
    return _fitted(kind(random_state=seed), problem, parts)


def random_forest(problem: Any, parts: Any, seconds: float, seed: int) -> Answer:
    """Fit a random forest."""
    kind = RandomForestClassifier if problem.task == "classification" else RandomForestRegressor
    return _fitted(kind(random_state=seed), problem, parts)


def linear(problem: Any, parts: Any, seconds: float, seed: int) -> Answer:
    """Fit logistic regression, or ridge regression; with 1,000 steps, for the default of 100 seldom converges."""
    model = LogisticRegression(max_iter=1000) if problem.task == "classification" else Ridge(random_state=seed)
    return _fitted(model, problem, parts)


def tfidf_naive_bayes(problem: Any, parts: Any, seconds: float, seed: int) -> Answer:
    """Fit naive Bayes over TF-IDF of words."""
    model = make_pipeline(TfidfVectorizer(), MultinomialNB()).fit(parts.x_train, parts.y_train)
    return Answer(model.predict_proba(parts.x_test))


def _fitted(model: Any, problem: Any, parts: Any) -> Answer:
    encode = encoder(problem.kind, parts.x_train)
    x, x_test = (encode(x).reshape(len(x), -1) for x in (parts.x_train, parts.x_test))
    model.fit(x, parts.y_train)
    classify = problem.task == "classification"
    return Answer(np.asarray((model.predict_proba if classify else model.predict)(x_test), np.float64))
