"""Networks whose weights follow another's."""


def average(follower, net, decay):
    """Move the weights of a network, running statistics too, a step towards another's."""
    weights = net.collect_params().values()
    for mean, weight in zip(follower.collect_params().values(), weights):
        mean.set_data(decay * mean.data() + (1 - decay) * weight.data())


def begin_as(follower, net):
    """Give a network the weights of another of the same class."""
    average(follower, net, 0.0)
