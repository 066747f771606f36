"""Prints what oslo.config makes of files, with the options of oslo.messaging: test/golden/oslo_config.<version>.json."""

import importlib.metadata
import json
import os
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")

from oslo_config import cfg  # noqa: E402
from oslo_messaging import opts  # noqa: E402

OPTIONS = [
    ("DEFAULT", "transport_url"),
    ("DEFAULT", "control_exchange"),
    ("DEFAULT", "rpc_response_timeout"),
    ("DEFAULT", "executor_thread_pool_size"),
    ("DEFAULT", "rpc_ping_enabled"),
    ("oslo_messaging_rabbit", "ssl"),
    ("oslo_messaging_rabbit", "ssl_ca_file"),
    ("oslo_messaging_rabbit", "heartbeat_timeout_threshold"),
    ("oslo_messaging_rabbit", "kombu_missing_consumer_retry_timeout"),
    ("oslo_messaging_rabbit", "kombu_reconnect_delay"),
    ("oslo_messaging_rabbit", "rabbit_quorum_queue"),
    ("oslo_messaging_notifications", "driver"),
    ("oslo_messaging_notifications", "transport_url"),
    ("oslo_messaging_notifications", "topics"),
    ("oslo_messaging_notifications", "retry"),
]

D = "[DEFAULT]\n"
R = "[oslo_messaging_rabbit]\n"
N = "[oslo_messaging_notifications]\n"
CASES = [
    [D + "transport_url = rabbit://u:p@h/v\ncontrol_exchange=nova\nrpc_response_timeout: 120\nrpc_ping_enabled = yes\n"],
    [D + "control_exchange = $transport_url\ntransport_url = rabbit://u:x$$y\\$z@h/\n"],
    [D + "transport_url = rabbit://u:p@${control_exchange}:5672/\ncontrol_exchange = mq1\n"],
    [N + "transport_url = ${DEFAULT.transport_url}\n" + D + "transport_url = rabbit://q/\n"],
    [D + "control_exchange = $oslo_messaging_rabbit.ssl_ca_file\n" + R + "ssl_ca_file = /ca\n"],
    [D + "rpc_response_timeout = 5\nrpc_response_timeout = 7\n" + N + "driver=log\ndriver=messaging\n", N + "driver=messagingv2\n"],
    [D + "rpc_response_timeout = 5\n", D + "rpc_response_timeout = 6\n"],
    [D + "control_exchange = a\n  b\n\tc\n\n"],
    [D + "control_exchange = 'a # b' \n"],
    [D + "control_exchange : \"nova\"\n"],
    [D + "control_exchange = nova # no comment\n"],
    [D + "control_exchange = 'nova\n"],
    [D + "control_exchange = a=b:c\n"],
    ["[default]\ncontrol_exchange = nova\n"],
    ["[OSLO_Messaging_Rabbit]\nssl=on\n"],
    [R + "ssl = TRUE\nheartbeat_timeout_threshold = 030\nkombu_reconnect_delay = .5\n"],
    [R + "rabbit_use_ssl=1\nkombu_ssl_ca_certs=/old\n"],
    [R + "rabbit_use_ssl=1\nssl=0\n"],
    [R + "ssl=0\n", R + "rabbit_use_ssl=1\n"],
    [R + "kombu_reconnect_timeout = 9\n"],
    [D + "rpc_thread_pool_size = 8\n"],
    [D + "notification_driver = log\nnotification_topics = a,b\n"],
    [N + "topics = a, b,c\nretry = 3\n"],
    [N + "driver =\n"],
    [D + "; c\n#c\n  \ncontrol_exchange = $rpc_response_timeout\nrpc_response_timeout = 11\n"],
    [D.replace("]\n", "] \r\n") + "control_exchange=n\r\nrpc_response_timeout=4\r\n"],
    # Refused.
    [D + "rpc_response_timeout = x\n"],
    [D + "rpc_response_timeout = 1.5\n"],
    [D + "rpc_ping_enabled = maybe\n"],
    [R + "heartbeat_timeout_threshold = 1 2\n"],
    ["control_exchange = nova\n"],
    ["[DEFAULT\ncontrol_exchange = nova\n"],
    ["[]\ncontrol_exchange = nova\n"],
    [D + "control_exchange\n"],
    [D + "  control_exchange = nova\n"],
    [D + "= nova\n"],
    [D + "transport_url = rabbit://u:pa$word@h/\n"],
    [D + "control_exchange = $control_exchange\n"],
    [D + "control_exchange = ${\n"],
    [D + "control_exchange = $1 $ x\n"],
]


def row(texts):
    directory = tempfile.mkdtemp()
    paths = []
    for index, text in enumerate(texts):
        paths.append(os.path.join(directory, "%d.conf" % index))
        with open(paths[-1], "w", newline="") as file:
            file.write(text)
    conf = cfg.ConfigOpts()
    for group, options in opts.list_opts():
        conf.register_opts(options, group=group)
    try:
        conf([], project="golden", default_config_files=paths)
        values = {}
        for group, name in OPTIONS:
            section = conf if group == "DEFAULT" else conf[group]
            place = conf.get_location(name, None if group == "DEFAULT" else group)
            if place is not None and place.location == cfg.Locations.user:
                values["%s.%s" % (group, name)] = getattr(section, name)
        return {"files": texts, "values": values}
    except Exception as error:
        return {"files": texts, "refused": type(error).__name__}


json.dump(
    {"oslo.config": importlib.metadata.version("oslo.config"), "cases": [row(texts) for texts in CASES]},
    sys.stdout,
    indent=1,
)
