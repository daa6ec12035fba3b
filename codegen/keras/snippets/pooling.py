"""Pooling of volumes in f64, for which TensorFlow has no kernel on a CPU."""

import keras
from keras import layers, ops


class PooledTwice(layers.Layer):
    """In f64, pools over planes and then along the depth, which is the same."""

    def call(self, x):
        if x.dtype != "float64":
            return super().call(x)
        (depth, *plane), (step, *steps) = self.pool_size, self.strides
        _, planes, *sizes = ops.shape(x)
        x = self.pool(ops.reshape(x, (-1, *sizes)), plane, steps, self.padding)
        _, height, width, channels = ops.shape(x)
        x = ops.reshape(x, (-1, planes, height * width, channels))
        x = self.pool(x, (depth, 1), (step, 1), self.padding)
        return ops.reshape(x, (-1, ops.shape(x)[1], height, width, channels))


@keras.saving.register_keras_serializable(package="layers")
class MaxPooling3D(PooledTwice, layers.MaxPooling3D):
    pool = staticmethod(ops.max_pool)


@keras.saving.register_keras_serializable(package="layers")
class AveragePooling3D(PooledTwice, layers.AveragePooling3D):
    pool = staticmethod(ops.average_pool)
