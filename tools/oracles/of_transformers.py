"""BERT, GPT-2, Llama, T5, ViT and CLIP as transformers has them, small."""

from __future__ import annotations

import without_compiled  # noqa: F401  before transformers, which takes torchvision

# isort: split
import numpy as np
import torch
import transformers as t
from shared import draw, ids, image, save, scores_of, state

VERSION = {"transformers": t.__version__}


def text(*shape: int) -> np.ndarray:
    """Tokens; the second text is shorter, and what follows it is 0."""
    found = 3 + ids(37, *shape)
    found[1, shape[1] * 2 // 3 :] = 0
    return found


def bert() -> None:
    net = draw(t.BertModel(t.BertConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=12)))  # fmt: skip
    x = text(2, 9)
    types = np.array([[0] * 4 + [1] * 5] * 2)
    found = net(torch.from_numpy(x), torch.from_numpy(x != 0), torch.from_numpy(types))
    outputs = {"hidden": found.last_hidden_state.numpy(), "pooled": found.pooler_output.numpy()}
    save("transformers_bert", state(net), {"ids": x, "types": types}, outputs, **VERSION)


def decoders() -> None:
    gpt2 = t.GPT2LMHeadModel(t.GPT2Config(
        vocab_size=40, n_positions=12, n_embd=16, n_layer=2, n_head=4))  # fmt: skip
    llama = t.LlamaForCausalLM(t.LlamaConfig(
        vocab_size=40, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, rms_norm_eps=1e-5))  # fmt: skip
    x = ids(40, 2, 9)
    for name, net in {"gpt2": gpt2, "llama": llama}.items():
        logits = draw(net)(torch.from_numpy(x)).logits.numpy()
        save(f"transformers_{name}", state(net), {"ids": x}, {"logits": logits}, **VERSION)


def t5() -> None:
    net = draw(t.T5ForConditionalGeneration(t.T5Config(
        vocab_size=40, d_model=16, d_kv=6, d_ff=24, num_layers=2, num_heads=4, decoder_start_token_id=0)))  # fmt: skip
    source, target = text(2, 40), ids(40, 2, 30)
    logits = net(
        input_ids=torch.from_numpy(source),
        attention_mask=torch.from_numpy(source != 0),
        decoder_input_ids=torch.from_numpy(target),
    ).logits.numpy()
    save(
        "transformers_t5",
        state(net),
        {"source": source, "target": target},
        {"logits": logits},
        **VERSION,
    )


def vit() -> None:
    net = t.ViTForImageClassification(t.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, image_size=64,
        layer_norm_eps=1e-6, num_labels=10))  # fmt: skip
    scores_of("transformers_vit", draw(net), image(2, 64, 64, 3), **VERSION)


def clip() -> None:
    net = draw(t.CLIPModel(t.CLIPConfig(
        text_config={"vocab_size": 40, "hidden_size": 16, "intermediate_size": 64, "num_hidden_layers": 2,
                     "num_attention_heads": 4, "max_position_embeddings": 9, "eos_token_id": 2},
        vision_config={"hidden_size": 24, "intermediate_size": 96, "num_hidden_layers": 2,
                       "num_attention_heads": 4, "image_size": 32, "patch_size": 16},
        projection_dim=12)))  # fmt: skip
    pictures, x = image(2, 32, 32, 3), ids(39, 3, 9)
    x[0, 4] = x[1, 8] = x[2, 6] = 39
    found = net(torch.from_numpy(x), torch.from_numpy(pictures).permute(0, 3, 1, 2))
    outputs = {"image_embedding": found.image_embeds, "text_embedding": found.text_embeds,
               "logits": found.logits_per_image}  # fmt: skip
    save("transformers_clip", state(net), {"image": pictures, "ids": x},
         {n: o.numpy() for n, o in outputs.items()}, **VERSION)  # fmt: skip


with torch.no_grad():
    for case in (bert, decoders, t5, vit, clip):
        case()
