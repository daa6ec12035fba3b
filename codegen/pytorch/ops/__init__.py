"""How PyTorch writes each op, family by family: records, and rules where a record cannot say it."""

from codegen.pytorch.ops import (
    activations,
    arrays,
    attention,
    dense,
    draws,
    gradients,
    losses,
    normalization,
    norms,
    numbers,
    recurrent,
    reduction,
    resizing,
    sliding,
    spatial,
)

FAMILIES = tuple(
    family.TABLE
    for family in (
        activations,
        arrays,
        attention,
        dense,
        draws,
        gradients,
        losses,
        normalization,
        norms,
        numbers,
        recurrent,
        reduction,
        resizing,
        sliding,
        spatial,
    )
)
NATIVES = {kind: native for family in FAMILIES for kind, native in family.natives.items()}
