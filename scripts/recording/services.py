"""Of the recordings of commands: services that stand for those of nova, one process each.

`services.py PROGRAM serve URL TOPIC HOST VERSION` serves a topic. `services.py PROGRAM ask URL` does what the lines on its standard
input name: methods of `Asker`. Each ends with its standard input.
"""

import logging
import sys
import threading
import time

import oslo_messaging
from oslo_config import cfg

# The recordings show what the commands print.
logging.disable(logging.CRITICAL)
# The broker shows a connection under the name of its program.
sys.argv[0] = PROGRAM = sys.argv[1]
oslo_messaging.set_transport_defaults("nova")
cfg.CONF([], project=PROGRAM)

REQUEST_ID = "req-1111aaaa-0000-4000-8000-000000000001"


class Methods:
    def ping(self, ctxt, arg=None):
        return {"pong": arg, "host": self.host}

    def fail(self, ctxt):
        raise ValueError("no such host")

    def slow(self, ctxt, seconds=2):
        time.sleep(seconds)
        return "done"


class Plain(Methods):
    def __init__(self, host, version):
        self.host = host
        self.target = oslo_messaging.Target(version=version)


class BaseApi(Methods):
    target = oslo_messaging.Target(namespace="baseapi", version="1.1")

    def __init__(self, host):
        self.host = host


class Context(dict):
    """A request context as services have it: notifications take only such a one."""

    def to_dict(self):
        return dict(self)

    def redacted_copy(self):
        return Context((key, value) for key, value in self.items() if key != "auth_token")


def server_of(transport, topic, host, version):
    target = oslo_messaging.Target(topic=topic, server=host)
    return oslo_messaging.get_rpc_server(transport, target, [Plain(host, version), BaseApi(host)], executor="threading")


class Asker:
    """A caller, as nova-api is one, and a publisher of notifications."""

    def __init__(self, url):
        self.transport = oslo_messaging.get_rpc_transport(cfg.CONF, url=url)
        notifications = oslo_messaging.get_notification_transport(cfg.CONF, url=url)
        self.notifier = oslo_messaging.Notifier(
            notifications, publisher_id="compute.cmp1", driver="messagingv2", topics=["notifications"]
        )
        self.context = Context(request_id=REQUEST_ID, auth_token="gAAAAABnot-for-you", user_id="admin")
        self.quiet = threading.Event()
        self.busy = None

    def client(self, topic, **where):
        options = oslo_messaging.TransportOptions(at_least_once=True)
        target = oslo_messaging.Target(topic=topic, **where)
        return oslo_messaging.get_rpc_client(self.transport, target, timeout=10, transport_options=options)

    def traffic(self):
        """One request: calls of every end, a fanout, a notification."""
        conductor = self.client("conductor", namespace="baseapi", version="1.1")
        conductor.call(self.context, "ping", arg="hi")
        conductor.prepare(server="host1").call(self.context, "ping", arg="direct")
        self.failing(conductor, "fail")
        conductor.prepare(fanout=True).cast(self.context, "ping", arg="all")
        self.failing(conductor.prepare(timeout=1), "slow")
        self.notifier.info(self.context, "compute.instance.create.end", {"id": "i1", "state": "active"})
        self.failing(self.client("conductor", server="host9"), "ping")

    def failing(self, client, method):
        try:
            client.call(self.context, method)
        except (ValueError, oslo_messaging.MessagingTimeout, oslo_messaging.exceptions.MessageUndeliverable):
            return
        raise SystemExit("%s has not failed" % method)

    def notifications(self):
        payload = {"id": "i1", "state": "active", "host": "cmp1", "admin_password": "sesame"}
        self.notifier.info(self.context, "compute.instance.create.end", payload)
        self.notifier.error(self.context, "compute.instance.create.error", {"id": "i2", "state": "error", "reason": "No valid host"})
        flavor = {"nova_object.name": "FlavorPayload", "nova_object.namespace": "nova", "nova_object.version": "1.4"}
        flavor["nova_object.data"] = {"name": "m1.small", "vcpus": 1}
        instance = {"nova_object.name": "InstancePayload", "nova_object.namespace": "nova", "nova_object.version": "1.8"}
        instance["nova_object.data"] = {"uuid": "i3", "state": "active", "flavor": flavor}
        self.notifier.info(self.context, "instance.create.end", instance)

    def abandon(self):
        """Two hosts that are gone: requests wait for one, nothing for the other."""
        for host in ("cmp14", "cmp9"):
            server = server_of(self.transport, "compute", host, "6.2")
            server.start()
            server.stop()
            server.wait()
        compute = self.client("compute", server="cmp14")
        for _ in range(120):
            compute.cast(self.context, "ping", arg="are you there")

    def notify_on(self):
        """Notifications that nobody takes, until `notify_off`."""

        def run():
            while not self.quiet.wait(0.025):
                self.notifier.info(self.context, "compute.instance.exists", {"id": "i1"})

        self.busy = threading.Thread(target=run)
        self.busy.start()

    def notify_off(self):
        self.quiet.set()
        self.busy.join()


def main(mode, url, *where):
    if mode == "serve":
        server_of(oslo_messaging.get_rpc_transport(cfg.CONF, url=url), *where).start()
        print("ready", flush=True)
        sys.stdin.read()
    else:
        asker = Asker(url)
        print("ready", flush=True)
        for line in sys.stdin:
            getattr(asker, line.strip())()
            print("done", flush=True)


main(*sys.argv[2:])
