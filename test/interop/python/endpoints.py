"""What the Python server offers; every call is reported as an event before it is answered."""

import datetime
import time

import oslo_messaging

import harness_errors


# Older releases expose every method.
expose = getattr(oslo_messaging, "expose", lambda method: method)


def renamed_target(**legacy):
    try:
        return oslo_messaging.Target(namespace="renamed", version="1.0", **legacy)
    except TypeError:
        # Older releases know one name of a namespace.
        return oslo_messaging.Target(namespace="renamed", version="1.0")


class Endpoint:
    """Reports each request; `report(endpoint, method, context, args)`."""

    name = "?"

    def __init__(self, report):
        self._report = lambda method, ctxt, args: report(self.name, method, ctxt, args)


class Plain(Endpoint):
    """No target: the null namespace, version 1.0."""

    name = "plain"

    def echo(self, ctxt, **args):
        self._report("echo", ctxt, args)
        return args

    def add(self, ctxt, a, b):
        self._report("add", ctxt, {"a": a, "b": b})
        return a + b

    def context(self, ctxt):
        self._report("context", ctxt, {})
        return dict(ctxt)

    def record(self, ctxt, **args):
        self._report("record", ctxt, args)

    def slow(self, ctxt, seconds, result=None):
        self._report("slow", ctxt, {"seconds": seconds})
        time.sleep(seconds)
        return result

    # ---- values -------------------------------------------------------------------------------

    def unicode(self, ctxt):
        return "Příliš žluťoučký kůň 日本語 \U0001f40e \u2028 \x00"

    def null(self, ctxt):
        return None

    def big_integer(self, ctxt):
        return 2**60

    def large(self, ctxt, size=1 << 20):
        return "x" * size

    def length(self, ctxt, text):
        return len(text)

    def is_big_integer(self, ctxt, value):
        return value == 2**60

    def date(self, ctxt):
        return datetime.datetime(2024, 2, 29, 12, 34, 56, 789)

    def not_a_number(self, ctxt):
        return {"nan": float("nan"), "infinity": float("inf")}

    def odd_collections(self, ctxt):
        return {"tuple": (1, 2), "keys": {1: "one"}, "bytes": b"bytes"}

    # ---- failures -----------------------------------------------------------------------------

    def fail_value(self, ctxt):
        raise ValueError("x", 1)

    def fail_key(self, ctxt):
        raise KeyError("missing")

    def fail_custom(self, ctxt, host="host1"):
        raise harness_errors.HostNotFound(host=host)

    def fail_unserializable(self, ctxt):
        raise ValueError(object())

    @oslo_messaging.expected_exceptions(KeyError)
    def fail_expected(self, ctxt):
        raise KeyError("expected")

    @expose
    def exposed(self, ctxt):
        return "exposed"

    def _private(self, ctxt):
        return "private"


class Base(Endpoint):
    name = "base"
    target = oslo_messaging.Target(namespace="baseapi", version="1.1")

    def ping(self, ctxt, arg):
        self._report("ping", ctxt, {"arg": arg})
        return {"service": "python", "arg": arg}

    def interface(self, ctxt):
        return "baseapi 1.1"


class BaseTwo(Endpoint):
    name = "base-two"
    target = oslo_messaging.Target(namespace="baseapi", version="2.3")

    def interface(self, ctxt):
        return "baseapi 2.3"


class Renamed(Endpoint):
    name = "renamed"
    target = renamed_target(legacy_namespaces=["formerly"])

    def interface(self, ctxt):
        return "renamed 1.0"


ENDPOINTS = {cls.name: cls for cls in (Plain, Base, BaseTwo, Renamed)}
