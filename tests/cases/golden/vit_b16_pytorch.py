"""Made from vit_b16.nn.

Vision Transformer ViT-B/16 (Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words",
arXiv:2010.11929).

input 224x224x3; 86,567,656 parameters; 17.56 G multiply-adds.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def init_weights(module: nn.Module) -> None:
    """Glorot's uniform kernels and zero biases."""
    if isinstance(module, (nn.Linear, nn.Conv2d)):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class MultiHeadAttention(nn.Module):
    """Attention of several heads, each with queries, keys and values of its own
    (Vaswani et al. 2017).
    """

    def __init__(self):
        super().__init__()
        self.query = nn.Linear(768, 768)
        self.key = nn.Linear(768, 768)
        self.value = nn.Linear(768, 768)
        self.output = nn.Linear(768, 768)

    def forward(self, query: Tensor) -> Tensor:
        q = self.query(query)
        q = q.reshape(-1, 197, 12, 64).transpose(1, 2)
        k = self.key(query)
        k = k.reshape(-1, 197, 12, 64).transpose(1, 2)
        v = self.value(query)
        v = v.reshape(-1, 197, 12, 64).transpose(1, 2)
        x = F.scaled_dot_product_attention(q, k, v)
        x = x.transpose(1, 2).reshape(-1, 197, 768)
        return self.output(x)


class EncoderLayer(nn.Module):
    """Attention and a perceptron, each normalised before and with a way around."""

    def __init__(self):
        super().__init__()
        self.layer_norm = nn.LayerNorm(768, eps=1e-6)
        self.multi_head_attention = MultiHeadAttention()
        self.dropout = nn.Dropout(0.0)
        self.layer_norm_2 = nn.LayerNorm(768, eps=1e-6)
        self.dense = nn.Linear(768, 3072)
        self.dense_2 = nn.Linear(3072, 768)

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer_norm(x)
        y = self.multi_head_attention(y)
        x = x + self.dropout(y)
        y = self.layer_norm_2(x)
        y = F.gelu(self.dense(y))
        y = self.dropout(y)
        y = self.dense_2(y)
        y = self.dropout(y)
        return x + y


class ViT(nn.Module):
    """image [N, 3, 224, 224] (NCHW) -> logits [N, 1000]"""

    def __init__(self):
        super().__init__()
        self.conv2d = nn.Conv2d(3, 768, 16, stride=16)
        self.dropout = nn.Dropout(0.0)
        self.encoder_layers = nn.ModuleList([EncoderLayer() for _ in range(12)])
        self.layer_norm = nn.LayerNorm(768, eps=1e-6)
        self.dense = nn.Linear(768, 1000)
        self.class_token = nn.Parameter(torch.zeros(1, 1, 768))
        self.positions = nn.Parameter(
            nn.init.normal_(torch.empty(1, 197, 768), std=0.02)
        )
        self.apply(init_weights)

    def forward(self, image: Tensor) -> Tensor:
        x = self.conv2d(image)
        x = x.reshape(-1, 768, 196)  # [N, 768, 196]
        y = self.class_token.expand(image.shape[0], 1, 768)
        x = torch.cat([y.reshape(-1, 768, 1), x], dim=2) + self.positions.transpose(
            1, 2
        )
        x = self.dropout(x)
        x = x.transpose(1, 2)  # [N, 197, 768]
        for encoder_layer in self.encoder_layers:
            x = encoder_layer(x)
        x = self.layer_norm(x)
        x = x[:, 0]
        return self.dense(x)
