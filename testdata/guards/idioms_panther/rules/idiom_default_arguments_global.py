from idiom_base import is_call


def rule(event):
    return is_call(event, "logs.amazonaws.com", ("PutMetricFilter", "DeleteMetricFilter"))
