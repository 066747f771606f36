"""One side of a contender in Python: `oslo.py server|client URL`. Commands as those of bench/agent.mjs."""

import json
import logging
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import oslo_messaging
from oslo_config import cfg

logging.disable(logging.WARNING)

ROLE, URL = sys.argv[1:3]
TOPIC = os.environ['OSLO_BENCH_TOPIC']
CONF = cfg.CONF
CONF([], project='bench')
TARGET = {'exchange': 'bench', 'topic': TOPIC}


class Endpoint:
    def echo(self, ctxt, data):
        return data

    def note(self, ctxt, data):
        pass


class Listening:
    def __init__(self, count):
        self.count, self.seen, self.since = count, 0, 0.0
        self.done = threading.Event()

    def info(self, ctxt, publisher_id, event_type, payload, metadata):
        self.seen += 1
        if self.seen == 1:
            self.since = time.monotonic()
        if self.seen == self.count:
            self.seconds = time.monotonic() - self.since
            self.done.set()


def serve():
    transport = oslo_messaging.get_rpc_transport(CONF, url=URL)
    target = oslo_messaging.Target(server='host', **TARGET)
    server = oslo_messaging.get_rpc_server(transport, target, [Endpoint()], executor='threading')
    server.start()

    def listen(count):
        endpoint = Listening(count)
        notifications = oslo_messaging.get_notification_transport(CONF, url=URL)
        targets = [oslo_messaging.Target(exchange='bench', topic=TOPIC + '_notifications')]
        listener = oslo_messaging.get_notification_listener(notifications, targets, [endpoint], executor='threading')
        listener.start()
        endpoint.done.wait()
        listener.stop()
        listener.wait()
        return {'done': count, 'seconds': endpoint.seconds}

    return {'listen': listen}


def connect():
    transport = oslo_messaging.get_rpc_transport(CONF, url=URL)
    # 14.0.3 has no function for it.
    make = getattr(oslo_messaging, 'get_rpc_client', oslo_messaging.RPCClient)
    client = make(transport, oslo_messaging.Target(**TARGET))
    notifications = oslo_messaging.get_notification_transport(CONF, url=URL)
    notifier = oslo_messaging.Notifier(
        notifications, 'bench.host', driver='messagingv2', topics=[TOPIC + '_notifications']
    )

    def loop(one, ms=None, count=None, inFlight=1):
        begin, latencies, lock = time.monotonic(), [], threading.Lock()
        left = [count if count is not None else float('inf')]

        def work():
            while ms is None or (time.monotonic() - begin) * 1000 < ms:
                with lock:
                    if left[0] <= 0:
                        return
                    left[0] -= 1
                since = time.monotonic()
                one()
                latencies.append((time.monotonic() - since) * 1000)

        with ThreadPoolExecutor(inFlight) as pool:
            for future in [pool.submit(work) for _ in range(inFlight)]:
                future.result()
        seconds = time.monotonic() - begin
        latencies.sort()
        done = len(latencies)
        return {'done': done, 'seconds': seconds, 'p50': latencies[done // 2], 'p99': latencies[int(done * 0.99)]}

    return {
        'call': lambda bytes, **rest: loop(lambda: client.call({}, 'echo', data='x' * bytes), **rest),
        'cast': lambda bytes, **rest: loop(lambda: client.cast({}, 'note', data='x' * bytes), **rest),
        'notify': lambda bytes, **rest: loop(
            lambda: notifier.info({}, 'bench.event', {'data': 'x' * bytes}), **rest
        ),
    }


def tell(message):
    print(json.dumps(message), flush=True)


operations = serve() if ROLE == 'server' else connect()
tell({'ready': True})
for line in sys.stdin:
    command = json.loads(line)
    try:
        tell({'result': operations[command.pop('operation')](**command)})
    except Exception as error:
        tell({'error': repr(error)})
