"""Made from vit_b16.nn.

Vision Transformer ViT-B/16 (Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words",
arXiv:2010.11929).

input 224x224x3; 86,567,656 parameters; 17.56 G multiply-adds.
"""

import keras
from keras import layers, ops


def attention(query, key, value):
    """Scaled dot-product attention (Vaswani et al. 2017): `softmax(query key^T * scale)
    value`.
    """
    keys = ops.transpose(key, (0, 1, 3, 2))  # [N, 12, 64, 197]
    return ops.softmax(query * 0.125 @ keys) @ value


@keras.saving.register_keras_serializable(package="vit_b16")
class MultiHeadAttention(layers.Layer):
    """Attention of several heads, each with queries, keys and values of its own
    (Vaswani et al. 2017).
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.query = layers.Dense(768)
        self.key = layers.Dense(768)
        self.value = layers.Dense(768)
        self.output_ = layers.Dense(768)

    def call(self, query):
        q = self.query(query)
        q = ops.transpose(ops.reshape(q, (-1, 197, 12, 64)), (0, 2, 1, 3))
        k = self.key(query)
        k = ops.transpose(ops.reshape(k, (-1, 197, 12, 64)), (0, 2, 1, 3))
        v = self.value(query)
        v = ops.transpose(ops.reshape(v, (-1, 197, 12, 64)), (0, 2, 1, 3))
        x = attention(q, k, v)
        x = ops.transpose(x, (0, 2, 1, 3))
        x = ops.reshape(x, (-1, 197, 768))
        return self.output_(x)


@keras.saving.register_keras_serializable(package="vit_b16")
class EncoderLayer(layers.Layer):
    """Attention and a perceptron, each normalised before and with a way around."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.layer_norm = layers.LayerNormalization(epsilon=1e-6)
        self.multi_head_attention = MultiHeadAttention()
        self.dropout = layers.Dropout(0.0)
        self.layer_norm_2 = layers.LayerNormalization(epsilon=1e-6, name="layer_norm_2")
        self.dense = layers.Dense(3072, activation="gelu")
        self.dense_2 = layers.Dense(768, name="dense_2")

    def call(self, x):
        y = self.layer_norm(x)
        y = self.multi_head_attention(y)
        x = x + self.dropout(y)
        y = self.layer_norm_2(x)
        y = self.dense(y)
        y = self.dropout(y)
        y = self.dense_2(y)
        y = self.dropout(y)
        return x + y


@keras.saving.register_keras_serializable(package="vit_b16")
class ViT(keras.Model):
    """image [N, 224, 224, 3] (NHWC) -> logits [N, 1000]"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv2d = layers.Conv2D(768, 16, strides=16)
        self.dropout = layers.Dropout(0.0)
        self.encoder_layers = [EncoderLayer() for _ in range(12)]
        self.layer_norm = layers.LayerNormalization(epsilon=1e-6)
        self.dense = layers.Dense(1000)
        self.class_token = self.add_weight(
            shape=(1, 1, 768), initializer="zeros", name="class_token"
        )
        self.positions = self.add_weight(
            shape=(1, 197, 768),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
            name="positions",
        )
        # Called on symbols, it makes its weights.
        self(keras.Input((224, 224, 3)))

    def call(self, image, training=None):
        # Keras tells the layers inside whether this is training.
        x = self.conv2d(image)
        x = ops.reshape(x, (-1, 196, 768))  # [N, 196, 768]
        y = ops.broadcast_to(self.class_token, (ops.shape(image)[0], 1, 768))
        x = ops.concatenate([y, x], axis=1) + self.positions
        x = self.dropout(x)
        for encoder_layer in self.encoder_layers:
            x = encoder_layer(x)
        x = self.layer_norm(x)
        x = x[:, 0]
        return self.dense(x)
