"""Label selectors, as the API defines them: an empty selector matches everything."""

from cluster.netpol.objects import Document, Labels


def matches(selector: Document, labels: Labels) -> bool:
    """Whether `labels` satisfy every part of `selector`."""
    equal = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return equal and all(_satisfies(each, labels) for each in selector.get("matchExpressions") or [])


def _satisfies(expression: Document, labels: Labels) -> bool:
    key, values = expression["key"], expression.get("values") or []
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case unknown:
            raise ValueError(
                f"label selector operator {unknown!r} is not one of In, NotIn, Exists, DoesNotExist"
            )
