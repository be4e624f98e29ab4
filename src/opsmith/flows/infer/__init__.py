"""infer: a prompt of somebody -> a model's answer, in turn, within its time, checked."""
