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


# As in work.mjs, for faults: how often each piece of work has run.
RUNS = {}


class Endpoint:
    def echo(self, ctxt, data):
        if not isinstance(data, dict):
            return data
        self.note(ctxt, data)
        time.sleep(0.3)
        return data['work']

    def note(self, ctxt, data):
        if isinstance(data, dict):
            RUNS[data['work']] = RUNS.get(data['work'], 0) + 1


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

    return {'listen': listen, 'ran': lambda: RUNS}


def connect():
    transport = oslo_messaging.get_rpc_transport(CONF, url=URL)
    # 14.0.3 has no function for it.
    make = getattr(oslo_messaging, 'get_rpc_client', oslo_messaging.RPCClient)
    timeout = int(os.environ.get('OSLO_BENCH_TIMEOUT', 60))
    client = make(transport, oslo_messaging.Target(**TARGET), timeout=timeout)
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

    def steady(ms, everyMs, waitMs):
        """As steady.mjs, with a thread for each that waits."""
        begin, works, threads = time.monotonic(), [], []

        def work(entry, send):
            try:
                send({'work': entry['work']})
                entry['end'] = 'done'
            except Exception as error:
                entry.update(end='failed', error=f'{type(error).__name__} {error}')

        n = 0
        while (time.monotonic() - begin) * 1000 < ms:
            for kind, send in (
                ('call', lambda data: client.call({}, 'echo', data=data)),
                ('cast', lambda data: client.cast({}, 'note', data=data)),
            ):
                at = (time.monotonic() - begin) * 1000
                works.append({'kind': kind, 'work': f'{kind}-{n}', 'atMs': at, 'end': 'hung'})
                threads.append(threading.Thread(target=work, args=(works[-1], send), daemon=True))
                threads[-1].start()
            n += 1
            time.sleep(max(0, begin + n * everyMs / 1000 - time.monotonic()))
        until = time.monotonic() + waitMs / 1000
        for thread in threads:
            thread.join(max(0, until - time.monotonic()))
        return [dict(entry) for entry in works]

    return {
        'steady': steady,
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
