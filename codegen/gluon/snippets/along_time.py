"""Cells along time."""


def along_time(F, cell, inputs, sequences, states):
    """A cell at each step of its sequences [N, T, ...]: what it puts out, stacked, and its last states.

    sequences: the inputs of which it is given a step. states: those that it is given as they came out the
    step before, each with that output.
    """

    def step(parts, held):
        given = list(inputs)
        for place, tensor in (*zip(sequences, parts), *zip(states, held)):
            given[place] = tensor
        results = cell(*given)
        results = results if isinstance(results, (list, tuple)) else [results]
        last = states.values()
        others = [r for place, r in enumerate(results) if place not in last]
        return others, [results[place] for place in last]

    parts = [F.swapaxes(inputs[place], 0, 1) for place in sequences]
    stacked, held = F.contrib.foreach(step, parts, [inputs[place] for place in states])
    last, stacked = dict(zip(states.values(), held)), list(stacked)
    return tuple(
        last[place] if place in last else F.swapaxes(stacked.pop(0), 0, 1)
        for place in range(len(last) + len(stacked))
    )
