"""Makes torchvision importable where its compiled part cannot be loaded, being made for a PyTorch with CUDA.

Of what that part holds, two operators are named while importing; no network here uses them.
"""

import torch

LIBRARY = torch.library.Library("torchvision", "DEF")
LIBRARY.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
LIBRARY.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
