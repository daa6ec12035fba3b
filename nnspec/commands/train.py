from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnspec.commands.options import Format, ImportRoots, OutputFormat, Settings, place
from nnspec.report.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    from nnspec.commands.progress import Hears
    from nnspec.driver.training.job import Progress, Trained


def register(app: typer.Typer) -> None:
    app.command("train", short_help="train with a framework, end with weights for every target")(
        train
    )


def train(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            parser=place,
            help="a .nn file, or - for standard input",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", "-t", metavar="NAME", help="pytorch, keras or gluon")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE.safetensors",
            parser=place,
            help="default: <stem>.safetensors",
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            "--run",
            metavar="DIR",
            parser=place,
            help="the run's folder (default: the next under runs/)",
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume", metavar="DIR", parser=place, help="go on with the run in that folder"
        ),
    ] = None,
    checkpoint_every: Annotated[
        int | None,
        typer.Option(
            "--checkpoint-every", metavar="N", min=1, help="steps; beside those after each epoch"
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights", metavar="FILE", parser=place, help="canonical weights to start from"
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", metavar="N", min=1)] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", metavar="N", min=1)] = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", min=0)] = None,
    program: Annotated[
        str | None,
        typer.Option("--program", metavar="NAME", help="which `train`, where there are several"),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="FILE.svg", parser=place, help="draw the figures over the epochs"
        ),
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="write the figures for TensorBoard, too")
    ] = False,
    settings: Settings = None,
    roots: ImportRoots = None,
    format: OutputFormat = Format.text,
) -> None:
    """Train with the generated functions of a framework, and end with canonical weights.

    A run has a folder with the spec, its settings, figures (metrics.jsonl) and the last two checkpoints.

    \b
    Examples:
      nnspec train digits_cnn.nn --target pytorch -o trained.safetensors
      nnspec train digits_cnn.nn --target keras --epochs 3
      nnspec train --resume runs/digits_cnn-DigitsCNN-keras-1
      nnspec build digits_cnn.nn --target onnx --weights trained.safetensors
    """
    from nnspec.commands.progress import epochs_shown
    from nnspec.commands.sources import load_spec
    from nnspec.commands.terminal import print_json, say
    from nnspec.driver.stored import joined
    from nnspec.graph.weight_files import save

    given = {"epochs": epochs, "batch_size": batch_size, "seed": seed}
    with epochs_shown(quiet=format is Format.json) as heard:
        if resume is not None:
            fixed: dict[str, object] = {
                "FILE": file,
                "--run": run,
                "--weights": weights,
                "--set": settings,
                "-I": roots,
            }
            same = given | {"checkpoint_every": checkpoint_every}
            fixed |= {"--tensorboard": tensorboard}
            trained = _resumed(resume, fixed, same, target, program, heard)
        else:
            if file is None or target is None:
                missing = "a spec, FILE" if file is None else "`--target`: pytorch, keras or gluon"
                raise SpecError(
                    Diagnostic(
                        "E0706",
                        f"a new run needs {missing}",
                        helps=("`--resume DIR` goes on with one that was begun",),
                    )
                )
            spec = load_spec(file, settings, roots)
            output = output or Path(f"{spec.stem}.safetensors")
            trained = spec.train(
                target,
                program=program,
                weights=weights,
                run=True if run is None else run,
                checkpoint_every=checkpoint_every,
                tensorboard=tensorboard,
                report=heard[0],
                meanwhile=heard[1],
                **{name: value for name, value in given.items() if value is not None},
            )
    if output is not None:
        save(output, joined(trained.weights))
    if plot is not None:
        from nnspec.core.files import write_file
        from nnspec.views.curves import to_svg

        name = trained.folder.name if trained.folder is not None else target or ""
        write_file(plot, to_svg({name: points(trained.history)}))
    if format is Format.json:
        print_json([{"epoch": p.epoch, **p.figures} for p in trained.history])
    if trained.best is not None:
        say(f"the weights are those of epoch {trained.best}, the best")
    say(f"wrote {trained.folder}" if output is None else f"wrote {output} and {trained.folder}")


def points(history: Sequence[Progress]) -> dict[str, list[tuple[float, float]]]:
    """Each figure over the epochs."""
    found: dict[str, list[tuple[float, float]]] = {}
    for progress in history:
        for name, figure in progress.figures.items():
            found.setdefault(name, []).append((progress.epoch, figure))
    return found


def _resumed(
    run: Path,
    fixed: dict[str, object],
    same: dict[str, int | None],
    target: str | None,
    program: str | None,
    heard: tuple[Hears, Hears],
) -> Trained:
    """The rest of a run. fixed: what it has itself, and nobody else gives; same: what may be said again."""
    from nnspec.api import resume
    from nnspec.commands.terminal import show_diagnostics
    from nnspec.driver.training.folder import read_about

    about = read_about(run)
    for name, value in fixed.items():
        if value:
            raise SpecError(
                Diagnostic(
                    "E0706", f"`{name}` and `--resume`: a run goes on with what it began with"
                )
            )
    known = about["settings"] | {"target": about["target"], "program": about["program"]}
    for name, value in {"target": target, "program": program, **same}.items():
        if value is not None and value != known[name]:
            flag = "--" + name.replace("_", "-")
            raise SpecError(
                Diagnostic(
                    "E0706",
                    f"`{flag} {value}` contradicts the run in `{run}`, which has {known[name]}",
                    helps=(f"leave `{flag}` out, or begin another run",),
                )
            )
    return resume(run, report=heard[0], meanwhile=heard[1], warn=lambda d: show_diagnostics([d]))
