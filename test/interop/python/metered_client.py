"""A client whose metrics go to the real collector of oslo.metrics, which runs in the same process.

Started with a JSON object: `url`, `socket`, and `calls`, each with `target`, `prepare`, `method` and `cast`. Tells by one line of
JSON on standard output what the collector would answer a scrape with, when all calls are in it, and ends with its standard input.
"""

import json
import os
import sys
import threading
import time

import oslo_messaging
import prometheus_client
from oslo_config import cfg
from oslo_metrics.__main__ import MetricsListener

# Logs go to standard error, whatever oslo.log thinks.
OUTPUT = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


def ended():
    """The calls that the collector has counted to their end, however they ended."""
    counted = 0
    for family in prometheus_client.REGISTRY.collect():
        for sample in family.samples:
            if sample.name in (
                "oslo_messaging_rpc_client_invocation_end_total",
                "oslo_messaging_rpc_client_exception_total",
            ):
                counted += sample.value
    return counted


def main():
    given = json.loads(sys.argv[1])
    conf = cfg.CONF
    collector = MetricsListener(given["socket"])
    threading.Thread(target=collector.serve, daemon=True).start()
    conf([], project="metered-client")
    transport = oslo_messaging.get_rpc_transport(conf, url=given["url"])
    group = "oslo_messaging_metrics"
    conf.set_override("metrics_enabled", True, group=group)
    conf.set_override("metrics_socket_file", given["socket"], group=group)
    conf.set_override("metrics_process_name", "nova-api", group=group)
    for each in given["calls"]:
        client = oslo_messaging.get_rpc_client(transport, oslo_messaging.Target(**each["target"]))
        prepared = client.prepare(**each["prepare"])
        try:
            (prepared.cast if each["cast"] else prepared.call)({}, each["method"])
        except (ValueError, oslo_messaging.RemoteError):
            pass
    gives_up = time.monotonic() + 20
    while ended() < len(given["calls"]) and time.monotonic() < gives_up:
        time.sleep(0.05)
    OUTPUT.write(json.dumps({"ready": True, "scrape": prometheus_client.generate_latest().decode()}) + "\n")
    OUTPUT.flush()
    sys.stdin.read()
    transport.cleanup()


if __name__ == "__main__":
    main()
