"""Of the recording: a plain oslo.messaging client."""

import logging
import sys

import oslo_messaging
from oslo_config import cfg

# The recording shows what the programs print themselves.
logging.disable(logging.CRITICAL)
cfg.CONF([], project='client')
transport = oslo_messaging.get_rpc_transport(cfg.CONF, url=sys.argv[1])
images = oslo_messaging.get_rpc_client(transport, oslo_messaging.Target(topic='images'), timeout=60)
print("call('resize', image='sunset.png')", flush=True)
print('answer:', images.call({}, 'resize', image='sunset.png'), flush=True)
