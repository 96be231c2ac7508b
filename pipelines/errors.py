"""The one exception for what a user wrote or gave: printed as a message, without a traceback."""


class InputError(ValueError):
    """A spec, an option, a file or an environment is not as it has to be.

    The message names the thing, the value, the rule and the way out, for instance
    ``experiments/x.yaml: methods[1].temprature: moco has no such option; did you mean 'temperature'?``
    """
