"""Writes down the broker's own trace (amq.rabbitmq.trace) with kombu: one JSON line for each message that is traced."""

import json
import sys

import kombu


def main(url, keys):
    with kombu.Connection(url) as connection:
        exchange = kombu.Exchange('amq.rabbitmq.trace', type='topic', durable=True, no_declare=True)
        queue = kombu.Queue('python-trace', exclusive=True, auto_delete=True,
                            bindings=[kombu.binding(exchange, routing_key=key) for key in keys])

        def traced(body, message):
            raw = body if isinstance(body, (str, bytes)) else json.dumps(body)
            inner = json.loads(json.loads(raw).get('oslo.message', 'null')) if raw else None
            print(json.dumps({
                'key': message.delivery_info['routing_key'],
                'routing_key': message.headers['routing_keys'][0],
                'message': inner,
            }), flush=True)
            message.ack()

        with connection.Consumer([queue], callbacks=[traced]):
            print('"ready"', flush=True)
            while True:
                connection.drain_events()


main(sys.argv[1], sys.argv[2:])
