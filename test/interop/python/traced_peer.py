"""A server that passes each call on to another topic, traced by one of Python's two ways.

Started with a JSON object: `url`, `exchange`, `topic`, `next` (the topic that it calls), `way` ("built-in" or
"instrumentation"). Each finished span is one line of JSON on standard output; the program ends with its standard input.
"""

import json
import sys

import oslo_messaging
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from oslo_config import cfg


class Lines(SpanExporter):
    def export(self, spans):
        for span in spans:
            told = {
                "name": span.name,
                "kind": span.kind.name,
                "traceId": format(span.context.trace_id, "032x"),
                "spanId": format(span.context.span_id, "016x"),
                "parent": span.parent and format(span.parent.span_id, "016x"),
                "attributes": dict(span.attributes),
            }
            print(json.dumps({"span": told}), flush=True)
        return SpanExportResult.SUCCESS


class Forwarder:
    def __init__(self, client, notifier):
        self.client = client
        self.notifier = notifier

    def forward(self, ctxt, text):
        answer = self.client.call(ctxt, "echo", text=text)
        self.notifier.info(ctxt, "python.forwarded", {"text": text})
        return answer


def main():
    given = json.loads(sys.argv[1])
    conf = cfg.CONF
    conf([], project="traced-peer")
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Lines()))
    trace.set_tracer_provider(provider)
    transport = oslo_messaging.get_rpc_transport(conf, url=given["url"])
    if given["way"] == "built-in":
        conf.set_override("tracing_enabled", True, group="oslo_messaging_tracing")
    else:
        from opentelemetry.instrumentation.oslo_messaging import OsloMessagingInstrumentor

        OsloMessagingInstrumentor().instrument()
    ahead = oslo_messaging.Target(exchange=given["exchange"], topic=given["next"])
    client = oslo_messaging.get_rpc_client(transport, ahead)
    notifications = oslo_messaging.get_notification_transport(conf, url=given["url"])
    notifier = oslo_messaging.Notifier(
        notifications, publisher_id="python.host1", driver="messagingv2", topics=["notifications"]
    )
    here = oslo_messaging.Target(exchange=given["exchange"], topic=given["topic"], server="python1")
    server = oslo_messaging.get_rpc_server(transport, here, [Forwarder(client, notifier)], executor="threading")
    server.start()
    print(json.dumps({"ready": True}), flush=True)
    sys.stdin.read()
    server.stop()
    server.wait()
    transport.cleanup()
    notifications.cleanup()


if __name__ == "__main__":
    main()
