"""Element types, as PyTorch calls them."""

DTYPES = {
    "f16": "torch.float16",
    "bf16": "torch.bfloat16",
    "f32": "torch.float32",
    "f64": "torch.float64",
    "i8": "torch.int8",
    "u8": "torch.uint8",
    "i32": "torch.int32",
    "i64": "torch.int64",
    "bool": "torch.bool",
}
