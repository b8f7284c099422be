"""Popularity, ItemKNN and EASE in a few lines of numpy: an oracle for the trainer's harness.

usage: top_lists.py TRAIN TEST LAMBDA NEIGHBOURS

TRAIN and TEST hold a user and an item a line. Every user gets the 10 best items of the training
part that are not theirs already, ties by item; the test part's items are relevant. Prints
precision, recall and NDCG at 10 of each model, means over the users of the test part, as JSON.
"""

import json
import sys

import numpy as np

K = 10


def main(train_path, test_path, regularisation, neighbours):
    train = np.loadtxt(train_path, dtype=np.int64, usecols=(0, 1), ndmin=2)
    test = np.loadtxt(test_path, dtype=np.int64, usecols=(0, 1), ndmin=2)
    users, rows = np.unique(train[:, 0], return_inverse=True)
    items, columns = np.unique(train[:, 1], return_inverse=True)
    taken = np.zeros((len(users), len(items)))
    taken[rows, columns] = 1
    models = {
        "popularity": np.tile(taken.sum(axis=0), (len(users), 1)),
        "ItemKNN": taken @ cosines(taken, int(neighbours)),
        "EASE": taken @ ease(taken, float(regularisation)),
    }
    relevant = {user: set(test[test[:, 0] == user, 1]) for user in np.unique(test[:, 0])}
    print(json.dumps({name: measure(s, taken, users, items, relevant) for name, s in models.items()}))


def cosines(taken, neighbours):
    """Each item's column keeps its nearest items (Sarwar et al., 2001)."""
    common = taken.T @ taken
    norm = np.sqrt(np.diag(common))
    similar = common / np.outer(norm, norm)
    np.fill_diagonal(similar, 0)
    # Equal cosines must come out as equal numbers, so that ties go by item.
    rest = np.argsort(-similar.round(12), axis=0, kind="stable")[neighbours:]
    np.put_along_axis(similar, rest, 0, axis=0)
    return similar


def ease(taken, regularisation):
    """The closed form (Steck, 2019)."""
    inverse = np.linalg.inv(taken.T @ taken + regularisation * np.eye(taken.shape[1]))
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def measure(scores, taken, users, items, relevant):
    order = np.argsort(-np.where(taken == 1, -np.inf, scores), axis=1, kind="stable")[:, :K]
    discounts = 1 / np.log2(np.arange(K) + 2)
    rows = []
    for user, places in zip(users, order):
        if user in relevant:
            hits = np.isin(items[places], list(relevant[user]))
            ideal = discounts[: len(relevant[user])].sum()
            rows.append((hits.mean(), hits.sum() / len(relevant[user]), discounts[hits].sum() / ideal))
    return dict(zip(("precision", "recall", "ndcg"), np.mean(rows, axis=0)))


if __name__ == "__main__":
    main(*sys.argv[1:])
