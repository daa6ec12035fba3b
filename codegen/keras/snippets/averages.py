"""Networks whose weights follow another's."""


def average(follower, net, decay):
    """Move the weights of a network, running statistics too, a step towards another's."""
    for mean, weight in zip(follower.weights, net.weights):
        mean.assign(decay * mean + (1 - decay) * weight)
