"""Alternating least squares by numpy, for comparison with the trainer's factors.

Reads {"items": [[...]], "met": [[item rows of a user], ...], "rounds": n, "unobserved": a,
"regularisation": l} and writes {"items": [[...]]} after that many rounds over users and items.
"""

import json
import sys

import numpy as np


def half(others, matrix, unobserved, regularisation):
    base = unobserved * others.T @ others
    vectors = np.zeros((matrix.shape[0], others.shape[1]))
    for row, observed in enumerate(matrix):
        met = others[observed > 0]
        part = len(met) + unobserved * len(others)
        system = base + met.T @ met + regularisation * part * np.eye(others.shape[1])
        vectors[row] = np.linalg.solve(system, met.sum(axis=0))
    return vectors


given = json.load(sys.stdin)
items = np.array(given["items"])
matrix = np.zeros((len(given["met"]), len(items)))
for user, met in enumerate(given["met"]):
    matrix[user, met] = 1
loss = given["unobserved"], given["regularisation"]
for _ in range(given["rounds"]):
    users = half(items, matrix, *loss)
    items = half(users, matrix.T, *loss)
json.dump({"items": items.tolist()}, sys.stdout)
