"""A service that speaks oslo.messaging and does as it is told.

Commands come as JSON lines on standard input, `{"id", "command", ...}`; each is answered by one line
on standard output, `{"id", "ok": value}` or `{"id", "error": {...}}`. What arrives from the bus is told
by lines `{"event", ...}`. The program ends with its standard input. It runs unchanged with every version of
oslo.messaging that is tested.

Started with one argument: a JSON object with `url` and `conf` ({group: {option: value}}).
"""

import json
import logging
import math
import os
import sys
import tempfile
import threading

from oslo_config import cfg
import oslo_messaging

import endpoints

# Older releases know one kind of transport, for both.
get_rpc_transport = getattr(oslo_messaging, "get_rpc_transport", None) or oslo_messaging.get_transport
get_notification_transport = getattr(oslo_messaging, "get_notification_transport", None) or oslo_messaging.get_transport

OUTPUT = os.fdopen(os.dup(1), "w", encoding="utf-8")
OUTPUT_LOCK = threading.Lock()
EXACT = 2**53


def encode(value):
    """JSON that JavaScript reads without loss: what it cannot write gets a tag."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return value if -EXACT < value < EXACT else {"$int": str(value)}
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, dict):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    return {"$repr": repr(value)}


def decode(value):
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"$int"}:
        return int(value["$int"])
    if set(value) == {"$float"}:
        return float(value["$float"])
    return {key: decode(item) for key, item in value.items()}


def tell(line):
    with OUTPUT_LOCK:
        OUTPUT.write(json.dumps(encode(line)) + "\n")
        OUTPUT.flush()


def describe(error):
    """An exception as the caller of this program sees it."""
    cls = type(error)
    description = {
        "class": cls.__name__,
        "module": cls.__module__,
        "mro": ["%s.%s" % (base.__module__, base.__name__) for base in cls.__mro__],
        "str": str(error),
        "args": list(error.args),
    }
    for name in ("kwargs", "exc_type", "value", "traceback", "method", "version", "version_cap", "exchange", "routing_key"):
        if hasattr(error, name):
            description[name] = getattr(error, name)
    return description


class Context(dict):
    """A request context as services have it: an object, not a plain dict."""

    def to_dict(self):
        return dict(self)

    def redacted_copy(self):
        return Context((key, value) for key, value in self.items() if key != "auth_token")


class NotificationEndpoint:
    """Listens to the given priorities; `answers` says what to do with the first notifications."""

    def __init__(self, listener, priorities, answers, rule):
        self._listener = listener
        self._answers = list(answers)
        if rule:
            self.filter_rule = oslo_messaging.NotificationFilter(**rule)
        for priority in priorities:
            setattr(self, priority, self._one(priority))

    def _one(self, priority):
        def notified(ctxt, publisher_id, event_type, payload, metadata):
            tell(
                {
                    "event": "notification",
                    "listener": self._listener,
                    "priority": priority,
                    "context": ctxt,
                    "publisherId": publisher_id,
                    "eventType": event_type,
                    "payload": payload,
                    "metadata": metadata,
                }
            )
            return self._answer()

        return notified

    def _answer(self):
        answer = self._answers.pop(0) if self._answers else "handled"
        if answer == "raise":
            raise ValueError("told to fail")
        if answer == "requeue":
            return oslo_messaging.NotificationResult.REQUEUE
        return oslo_messaging.NotificationResult.HANDLED


class BatchEndpoint(NotificationEndpoint):
    def _one(self, priority):
        def notified(notifications):
            tell(
                {
                    "event": "batch",
                    "listener": self._listener,
                    "priority": priority,
                    "notifications": notifications,
                }
            )
            return self._answer()

        return notified


class Peer:
    def __init__(self, url, conf):
        self.url = url
        self.conf = cfg.CONF
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            for group, options in conf.items():
                file.write("[%s]\n" % group)
                file.writelines("%s = %s\n" % option for option in options.items())
            file.flush()
            self.conf(["--config-file", file.name], project="peer")
        self.transports = {}
        self.notification_transport = None
        self.running = {}
        self.lock = threading.Lock()

    # ---- RPC, serving -------------------------------------------------------------------------

    def do_serve(self, name, target, offered=("plain",), access_policy=None, pool_size=None):
        def report(endpoint, method, ctxt, args):
            tell(
                {
                    "event": "request",
                    "server": name,
                    "endpoint": endpoint,
                    "method": method,
                    "context": dict(ctxt),
                    "args": args,
                }
            )

        server = oslo_messaging.get_rpc_server(
            self.rpc_transport(),
            oslo_messaging.Target(**target),
            [endpoints.ENDPOINTS[each](report) for each in offered],
            executor="threading",
            **self.access_policy(access_policy),
        )
        server.start(override_pool_size=pool_size) if pool_size else server.start()
        self.running[name] = server

    @staticmethod
    def access_policy(name):
        if name is None and not hasattr(oslo_messaging, "DefaultRPCAccessPolicy"):
            return {}
        policies = {
            None: "DefaultRPCAccessPolicy",
            "legacy": "LegacyRPCAccessPolicy",
            "explicit": "ExplicitRPCAccessPolicy",
        }
        return {"access_policy": getattr(oslo_messaging, policies[name])}

    def do_stop(self, name):
        server = self.running.pop(name)
        server.stop()
        server.wait()

    # ---- RPC, calling -------------------------------------------------------------------------

    def do_call(self, method, args=None, context=None, **where):
        return self.prepared(**where).call(context or {}, method, **(args or {}))

    def do_cast(self, method, args=None, context=None, **where):
        return self.prepared(**where).cast(context or {}, method, **(args or {}))

    def do_fanout(self, method, args=None, context=None, prepare=None, **where):
        prepare = dict(prepare or {}, fanout=True)
        return self.prepared(prepare=prepare, **where).cast(context or {}, method, **(args or {}))

    def do_can_send_version(self, version, **where):
        return self.prepared(**where).can_send_version(version)

    def prepared(self, target, client=None, prepare=None, allowed_remote_exmods=()):
        client = self.transport_options(client)
        prepare = self.transport_options(prepare)
        # RPCClient warns when it is built directly where this function exists.
        make = getattr(oslo_messaging, "get_rpc_client", oslo_messaging.RPCClient)
        made = make(self.rpc_transport(allowed_remote_exmods), oslo_messaging.Target(**target), **client)
        return made.prepare(**prepare)

    @staticmethod
    def transport_options(options):
        options = dict(options or {})
        if "at_least_once" in options:
            at_least_once = options.pop("at_least_once")
            options["transport_options"] = oslo_messaging.TransportOptions(at_least_once=at_least_once)
        return options

    def rpc_transport(self, allowed_remote_exmods=()):
        key = tuple(allowed_remote_exmods)
        with self.lock:
            if key not in self.transports:
                self.transports[key] = get_rpc_transport(
                    self.conf, url=self.url, allowed_remote_exmods=list(key)
                )
            return self.transports[key]

    # ---- notifications ------------------------------------------------------------------------

    def notifications(self):
        with self.lock:
            if self.notification_transport is None:
                self.notification_transport = get_notification_transport(self.conf, url=self.url)
            return self.notification_transport

    def do_notify(
        self,
        priority,
        event_type,
        payload,
        context=None,
        publisher_id="python.host1",
        driver="messagingv2",
        topics=("notifications",),
        retry=None,
    ):
        options = {"publisher_id": publisher_id, "driver": driver, "retry": retry}
        try:
            notifier = oslo_messaging.Notifier(self.notifications(), topics=list(topics), **options)
        except TypeError:
            # Older releases take one topic.
            (topic,) = topics
            notifier = oslo_messaging.Notifier(self.notifications(), topic=topic, **options)
        getattr(notifier, priority)(Context(context or {}), event_type, payload)

    def do_listen(
        self,
        name,
        targets,
        priorities=("info",),
        pool=None,
        allow_requeue=False,
        answers=(),
        rule=None,
        batch_size=None,
        batch_timeout=None,
    ):
        targets = [oslo_messaging.Target(**target) for target in targets]
        options = {"executor": "threading", "allow_requeue": allow_requeue, "pool": pool}
        if batch_size is None:
            listener = oslo_messaging.get_notification_listener(
                self.notifications(), targets, [NotificationEndpoint(name, priorities, answers, rule)], **options
            )
        else:
            listener = oslo_messaging.get_batch_notification_listener(
                self.notifications(),
                targets,
                [BatchEndpoint(name, priorities, answers, rule)],
                batch_size=batch_size,
                batch_timeout=batch_timeout,
                **options,
            )
        listener.start()
        self.running[name] = listener

    # ---- the line to the test -----------------------------------------------------------------

    def run(self, command, id, **parameters):
        try:
            tell({"id": id, "ok": getattr(self, "do_" + command)(**decode(parameters))})
        except BaseException as error:
            tell({"id": id, "error": describe(error)})

    def do_close(self):
        for name in list(self.running):
            self.do_stop(name)
        for transport in [*self.transports.values(), self.notification_transport]:
            if transport is not None:
                transport.cleanup()
        self.transports.clear()
        self.notification_transport = None


def main():
    sys.stdout = sys.stderr
    logging.basicConfig(stream=sys.stderr, level=os.environ.get("PEER_LOG_LEVEL", "WARNING"))
    peer = Peer(**json.loads(sys.argv[1]))
    tell({"event": "ready"})
    for line in sys.stdin:
        threading.Thread(target=peer.run, kwargs=json.loads(line), daemon=True).start()
    # The test has gone: threads that still wait for the bus must not hold the process.
    os._exit(0)


if __name__ == "__main__":
    main()
