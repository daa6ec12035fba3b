"""Cells along time."""

import tensorflow as tf
from keras import ops


def along_time(cell, inputs, sequences, states, outputs):
    """A cell at each step of its sequences [N, T, ...]: what it puts out, stacked, and its last states.

    sequences: the inputs of which it is given a step. states: those that it is given as they came out the
    step before, each with that output. outputs: zeros like what else comes out at a step.
    """

    def step(carried, parts):
        given = list(inputs)
        for place, tensor in (*zip(sequences, parts), *zip(states, carried[0])):
            given[place] = tensor
        results = cell(*given)
        results = results if isinstance(results, tuple) else (results,)
        held = tuple(results[place] for place in states.values())
        last = states.values()
        return held, tuple(r for place, r in enumerate(results) if place not in last)

    parts = tuple(ops.swapaxes(inputs[place], 0, 1) for place in sequences)
    begin = tuple(inputs[place] for place in states), tuple(outputs)
    # `ops.scan` cannot take two sequences of unknown length.
    held, stacked = tf.scan(step, parts, begin)
    last, stacked = dict(zip(states.values(), held)), list(stacked)
    return tuple(
        last[place][-1] if place in last else ops.swapaxes(stacked.pop(0), 0, 1)
        for place in range(len(held) + len(outputs))
    )
