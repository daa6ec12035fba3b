"""The definition, run: any graph, model or training program in NumPy, in f64, f32 or as its types say.

It is what every target is judged by. It wants to be right and readable, not fast.
"""

from nnspec.graph.evaluate.arrays import ArraySite
from nnspec.graph.evaluate.model import Evaluation, evaluate_model
from nnspec.graph.evaluate.training import Step, TrainingRun

__all__ = ["ArraySite", "Evaluation", "Step", "TrainingRun", "evaluate_model"]
