"""RegNet, Mixer, Swin, EfficientNet and ViT as timm has them, small."""

from __future__ import annotations

import without_compiled  # noqa: F401  before timm, which takes torchvision

# isort: split
import timm
from shared import draw, image, scores_of
from timm.models import MlpMixer, RegNet, SwinTransformer, VisionTransformer
from timm.models.efficientnet import EfficientNet, decode_arch_def
from timm.models.regnet import RegNetCfg

STAGES = [["ds_r1_k3_s1_e1_c8_se0.25"], ["ir_r2_k3_s2_e6_c8_se0.25"], ["ir_r2_k5_s2_e6_c12_se0.25"]]

NETS = {
    "timm_regnet": lambda: RegNet(
        RegNetCfg(depth=6, w0=8, wa=12.0, wm=2.0, group_size=8, se_ratio=0.25), num_classes=10
    ),
    "timm_mixer": lambda: MlpMixer(10, img_size=64, num_blocks=2, embed_dim=16),
    "timm_swin": lambda: SwinTransformer(
        64, num_classes=10, embed_dim=8, depths=(2, 2, 2), num_heads=(1, 2, 4), window_size=4
    ),
    "timm_efficientnet": lambda: EfficientNet(
        decode_arch_def(STAGES), 10, num_features=16, stem_size=8, fix_stem=True, round_chs_fn=int, act_layer="silu"
    ),
    "timm_vit": lambda: VisionTransformer(64, num_classes=10, embed_dim=16, depth=2, num_heads=4),
}  # fmt: skip

for name, make in NETS.items():
    scores_of(name, draw(make()), image(2, 64, 64, 3), timm=timm.__version__)
